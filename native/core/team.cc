#include "team.h"

#include "denormals.h"

namespace eigenae {

namespace {

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

// A barrier takes less than a microsecond unless another process has the core; then it should get on with it.
constexpr int spins = 2000;

}  // namespace

Team::Team(int size) : size_(size < 1 ? 1 : size), flags_(new Flag[size_]) {
  for (int member = 1; member < size_; ++member) threads_.emplace_back([this, member] { serve(member); });
}

Team::~Team() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Team::run(const std::function<void(int)>& work) {
  const FlushDenormals flush;
  if (size_ > 1) {
    const std::lock_guard<std::mutex> lock(mutex_);
    work_ = &work;
    ++round_;
  }
  wake_.notify_all();
  work(0);
  wait(0);
}

void Team::serve(int member) {
  const FlushDenormals flush;
  for (std::uint64_t done = 0;; ++done) {
    const std::function<void(int)>* work;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [&] { return stop_ || round_ > done; });
      if (stop_) return;
      work = work_;
    }
    (*work)(member);
    wait(member);
  }
}

void Team::wait(int member) {
  if (size_ == 1) return;
  const std::uint32_t mine = flags_[member].arrivals.load(std::memory_order_relaxed) + 1;
  flags_[member].arrivals.store(mine, std::memory_order_release);
  for (int other = 0; other < size_; ++other) {
    for (int spin = 0; static_cast<std::int32_t>(flags_[other].arrivals.load(std::memory_order_acquire) - mine) < 0;) {
      if (++spin < spins) {
        relax();
      } else {
        std::this_thread::yield();
      }
    }
  }
}

}  // namespace eigenae
