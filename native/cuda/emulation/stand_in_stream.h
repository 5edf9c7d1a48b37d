// A stream of the stand-in: work that runs in order on a thread of its own.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <queue>

namespace eigenae::emulation {

// Is never destroyed, because its thread may be running, or hanging, until the process ends.
class Stream {
 public:
  Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  void add(std::function<void()> work);
  bool idle();
  void waitUntilIdle();

 private:
  void serve();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::queue<std::function<void()>> work_;
  bool working_ = false;
};

}  // namespace eigenae::emulation
