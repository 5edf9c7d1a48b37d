// A fixed team of threads that wait for work. The caller's thread is member 0.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

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

  struct Threads;  // members 1 … and how they are woken: team.cc, or wasm/team.cc where a host starts them

  void serve(int member);

  const int size_;
  std::unique_ptr<Flag[]> flags_;
  std::unique_ptr<Threads> threads_;
};

}  // namespace eigenae
