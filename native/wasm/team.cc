// The team where the host starts the threads: each is a worker with an instance of this module on the same memory, and
// calls serve.
#include "../core/team.h"

namespace eigenae {

namespace {

constexpr int spins = 2000;
constexpr std::int64_t nap = 50'000;  // nanoseconds
constexpr std::int64_t forever = -1;

// Returns at once where the word is not `value` any more.
void sleepWhile(std::atomic<std::uint32_t>& word, std::uint32_t value, std::int64_t nanoseconds) {
  __builtin_wasm_memory_atomic_wait32(reinterpret_cast<int*>(&word), static_cast<int>(value), nanoseconds);
}

Team* theTeam = nullptr;  // a memory holds one trainer
void (*serveTheTeam)(int member);

}  // namespace

struct Team::Threads {
  std::atomic<std::uint32_t> round{0};  // of work; a member wakes when it grows
  const std::function<void(int)>* work = nullptr;
};

Team::Team(int size) : size_(size < 1 ? 1 : size), flags_(new Flag[size_]), threads_(new Threads) {
  theTeam = this;
  serveTheTeam = [](int member) { theTeam->serve(member); };
}

Team::~Team() = default;

void Team::run(const std::function<void(int)>& work) {
  threads_->work = &work;
  ++threads_->round;
  __builtin_wasm_memory_atomic_notify(reinterpret_cast<int*>(&threads_->round), static_cast<unsigned>(size_));
  work(0);
  wait(0);
}

void Team::serve(int member) {
  for (std::uint32_t done = 0;; ++done) {
    while (threads_->round == done) sleepWhile(threads_->round, done, forever);
    (*threads_->work)(member);
    wait(member);
  }
}

void Team::wait(int member) {
  if (size_ == 1) return;
  const std::uint32_t mine = flags_[member].arrivals.load(std::memory_order_relaxed) + 1;
  flags_[member].arrivals.store(mine, std::memory_order_release);
  for (int other = 0; other < size_; ++other) {
    std::atomic<std::uint32_t>& arrivals = flags_[other].arrivals;
    for (int spin = 0;; ++spin) {
      const std::uint32_t theirs = arrivals.load(std::memory_order_acquire);
      if (static_cast<std::int32_t>(theirs - mine) >= 0) break;
      if (spin >= spins) sleepWhile(arrivals, theirs, nap);
    }
  }
}

// What a worker for a member other than 0 calls; it never returns.
extern "C" __attribute__((export_name("serve"))) void serve(int member) { serveTheTeam(member); }

}  // namespace eigenae
