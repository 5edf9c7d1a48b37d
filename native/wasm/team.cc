// The team in WebAssembly, where the host starts the threads. Each is a worker with an instance of this module on the
// same memory. Workers other than thread 0's call `serve`.
#include "../core/team.h"

namespace eigenae {

namespace {

constexpr int maximalSpins = 2000;
constexpr std::int64_t nap = 50'000;  // nanoseconds
constexpr std::int64_t forever = -1;

// Sleeps until the word is notified or the time has passed. Returns at once if the word is not `value` any more.
void sleepWhile(std::atomic<std::uint32_t>& word, std::uint32_t value, std::int64_t nanoseconds) {
  __builtin_wasm_memory_atomic_wait32(reinterpret_cast<int*>(&word), static_cast<int>(value), nanoseconds);
}

Team* theTeam = nullptr;  // a memory holds one trainer
void (*serveTheTeam)(int thread);

}  // namespace

struct Team::Threads {
  std::atomic<std::uint32_t> round{0};  // number of calls of run; a thread wakes when it grows
  const std::function<void(int)>* work = nullptr;
};

Team::Team(int size) : size_(size < 1 ? 1 : size), flags_(new Flag[size_]), threads_(new Threads) {
  theTeam = this;
  serveTheTeam = [](int thread) { theTeam->serve(thread); };
}

Team::~Team() = default;

void Team::run(const std::function<void(int)>& work) {
  threads_->work = &work;
  ++threads_->round;
  __builtin_wasm_memory_atomic_notify(reinterpret_cast<int*>(&threads_->round), static_cast<unsigned>(size_));
  work(0);
  wait(0);
}

void Team::serve(int thread) {
  for (std::uint32_t done = 0;; ++done) {
    while (threads_->round == done) sleepWhile(threads_->round, done, forever);
    (*threads_->work)(thread);
    wait(thread);
  }
}

void Team::wait(int thread) {
  if (size_ == 1) return;
  const std::uint32_t mine = flags_[thread].arrivals.load(std::memory_order_relaxed) + 1;
  flags_[thread].arrivals.store(mine, std::memory_order_release);
  for (int other = 0; other < size_; ++other) {
    std::atomic<std::uint32_t>& arrivals = flags_[other].arrivals;
    for (int spin = 0;; ++spin) {
      const std::uint32_t theirs = arrivals.load(std::memory_order_acquire);
      if (static_cast<std::int32_t>(theirs - mine) >= 0) break;
      if (spin >= maximalSpins) sleepWhile(arrivals, theirs, nap);
    }
  }
}

// Called by the worker of every thread but thread 0. Never returns.
extern "C" __attribute__((export_name("serve"))) void serve(int thread) { serveTheTeam(thread); }

}  // namespace eigenae
