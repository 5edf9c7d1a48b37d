// A fixed team of threads that wait for work. The caller's thread is member 0.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace eigenae {

class Team {
 public:
  explicit Team(int size);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const { return size_; }

  // Runs work(member) on all members at once and returns when all are done.
  void run(const std::function<void(int)>& work);

  // Inside run: waits until every member is here. What each wrote before, all see after.
  void wait(int member);

 private:
  // A flag a member, each on its own cache line: only its owner writes it.
  struct alignas(128) Flag {
    std::atomic<std::uint32_t> arrivals{0};
  };

  void serve(int member);

  const int size_;
  std::unique_ptr<Flag[]> flags_;
  std::vector<std::thread> threads_;  // members 1 …
  std::mutex mutex_;
  std::condition_variable wake_;
  std::uint64_t round_ = 0;  // of work; a member wakes when it grows
  bool stop_ = false;
  const std::function<void(int)>* work_ = nullptr;
};

}  // namespace eigenae
