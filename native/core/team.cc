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

// A barrier takes less than a microsecond, unless there are more threads than cores: yielding then lets another one run.
int spinsFor(int size) {
  static const unsigned cores = std::thread::hardware_concurrency();
  return static_cast<unsigned>(size) <= cores ? 2000 : 10;
}

}  // namespace

struct Team::Threads {
  std::vector<std::thread> threads;
  std::mutex mutex;
  std::condition_variable wake;
  std::uint64_t round = 0;  // number of calls of run; a thread wakes when it grows
  bool stop = false;
  const std::function<void(int)>* work = nullptr;
  std::exception_ptr failure;  // the first exception of this round
};

Team::Team(int size) : size_(size < 1 ? 1 : size), flags_(new Flag[size_]), threads_(new Threads) {
  try {
    for (int thread = 1; thread < size_; ++thread) threads_->threads.emplace_back([this, thread] { serve(thread); });
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

void Team::attempt(const std::function<void(int)>& work, int thread) {
  try {
    work(thread);
  } catch (...) {
    const std::lock_guard<std::mutex> lock(threads_->mutex);
    if (threads_->failure == nullptr) threads_->failure = std::current_exception();
  }
}

void Team::serve(int thread) {
  const FlushDenormals flush;
  for (std::uint64_t done = 0;; ++done) {
    const std::function<void(int)>* work;
    {
      std::unique_lock<std::mutex> lock(threads_->mutex);
      threads_->wake.wait(lock, [&] { return threads_->stop || threads_->round > done; });
      if (threads_->stop) return;
      work = threads_->work;
    }
    attempt(*work, thread);
    wait(thread);
  }
}

void Team::wait(int thread) {
  if (size_ == 1) return;
  const int maximalSpins = spinsFor(size_);
  const std::uint32_t mine = flags_[thread].arrivals.load(std::memory_order_relaxed) + 1;
  flags_[thread].arrivals.store(mine, std::memory_order_release);
  for (int other = 0; other < size_; ++other) {
    for (int spin = 0; static_cast<std::int32_t>(flags_[other].arrivals.load(std::memory_order_acquire) - mine) < 0;) {
      if (++spin < maximalSpins) {
        relax();
      } else {
        std::this_thread::yield();
      }
    }
  }
}

}  // namespace eigenae
