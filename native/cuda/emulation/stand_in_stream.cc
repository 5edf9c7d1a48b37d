#include "stand_in_stream.h"

#include <thread>
#include <utility>

namespace eigenae::emulation {

Stream::Stream() {
  std::thread([this] { serve(); }).detach();
}

void Stream::add(std::function<void()> work) {
  const std::lock_guard<std::mutex> lock(mutex_);
  work_.push(std::move(work));
  changed_.notify_all();
}

bool Stream::idle() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return work_.empty() && !working_;
}

void Stream::waitUntilIdle() {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [this] { return work_.empty() && !working_; });
}

void Stream::serve() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return !work_.empty(); });
    const std::function<void()> work = std::move(work_.front());
    work_.pop();
    working_ = true;
    lock.unlock();
    work();
    lock.lock();
    working_ = false;
    changed_.notify_all();
  }
}

}  // namespace eigenae::emulation
