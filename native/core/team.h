// A fixed team of threads that wait for work. The caller's thread is member 0.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

namespace eigenae {

class Team {
 public:
  // Throws std::system_error where the machine starts no more threads.
  explicit Team(int size);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const { return size_; }

  // Runs work(member) on all members at once and returns when all are done. Throws what a member's work throws, which is
  // not to meet the others inside: they would wait for it.
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
  void attempt(const std::function<void(int)>& work, int member);
  void end();

  const int size_;
  std::unique_ptr<Flag[]> flags_;
  std::unique_ptr<Threads> threads_;
};

}  // namespace eigenae
