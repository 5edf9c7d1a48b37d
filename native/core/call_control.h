// What another thread may ask of a call while it runs: to end early, and how far it is.
#pragma once

#include <atomic>
#include <cstdint>

namespace eigenae {

// How far an epoch is: the images that it has trained on, and the sum of their losses.
struct Progress {
  std::uint32_t images = 0;
  float loss = 0;
};

class CallControl {
 public:
  // Before a call, on the caller's thread.
  void begin() {
    __atomic_store_n(&stop_, 0, __ATOMIC_RELAXED);
    progress_ = Progress{};
  }

  // From any thread, as the next two.
  void stop() { __atomic_store_n(&stop_, 1, __ATOMIC_RELAXED); }
  bool stopped() const { return __atomic_load_n(&stop_, __ATOMIC_RELAXED) != 0; }
  // Both numbers are of the same moment.
  Progress progress() const { return progress_; }

  void publish(Progress progress) { progress_ = progress; }

  // For kernels, which know no std::atomic: not 0 once the call is to end.
  const std::int32_t* stopWord() const { return &stop_; }

 private:
  std::int32_t stop_ = 0;
  std::atomic<Progress> progress_{};
  static_assert(std::atomic<Progress>::is_always_lock_free);
};

}  // namespace eigenae
