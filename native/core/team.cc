#include "team.h"

#include <condition_variable>
#include <exception>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

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

// A meeting takes less than a microsecond, unless another thread has the core: then it should get on with it.
int spinsFor(int size) {
  static const unsigned cores = std::thread::hardware_concurrency();
  return static_cast<unsigned>(size) <= cores ? 2000 : 10;
}

}  // namespace

struct Team::Threads {
  std::vector<std::thread> threads;
  std::mutex mutex;
  std::condition_variable wake;
  std::uint64_t round = 0;  // of work; a member wakes when it grows
  bool stop = false;
  const std::function<void(int)>* work = nullptr;
  std::exception_ptr failure;  // the first of this round
};

Team::Team(int size) : size_(size < 1 ? 1 : size), flags_(new Flag[size_]), threads_(new Threads) {
  try {
    for (int member = 1; member < size_; ++member) threads_->threads.emplace_back([this, member] { serve(member); });
  } catch (const std::system_error& error) {
    end();
    throw std::system_error(error.code(), "cannot start " + std::to_string(size_) + " threads");
  }
}

Team::~Team() { end(); }

void Team::end() {
  {
    const std::lock_guard<std::mutex> lock(threads_->mutex);
    threads_->stop = true;
  }
  threads_->wake.notify_all();
  for (std::thread& thread : threads_->threads) thread.join();
}

void Team::run(const std::function<void(int)>& work) {
  const FlushDenormals flush;
  if (size_ > 1) {
    const std::lock_guard<std::mutex> lock(threads_->mutex);
    threads_->work = &work;
    ++threads_->round;
  }
  threads_->wake.notify_all();
  attempt(work, 0);
  wait(0);
  if (threads_->failure != nullptr) std::rethrow_exception(std::exchange(threads_->failure, nullptr));
}

void Team::attempt(const std::function<void(int)>& work, int member) {
  try {
    work(member);
  } catch (...) {
    const std::lock_guard<std::mutex> lock(threads_->mutex);
    if (threads_->failure == nullptr) threads_->failure = std::current_exception();
  }
}

void Team::serve(int member) {
  const FlushDenormals flush;
  for (std::uint64_t done = 0;; ++done) {
    const std::function<void(int)>* work;
    {
      std::unique_lock<std::mutex> lock(threads_->mutex);
      threads_->wake.wait(lock, [&] { return threads_->stop || threads_->round > done; });
      if (threads_->stop) return;
      work = threads_->work;
    }
    attempt(*work, member);
    wait(member);
  }
}

void Team::wait(int member) {
  if (size_ == 1) return;
  const int spins = spinsFor(size_);
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
