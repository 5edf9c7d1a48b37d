#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

namespace eigenae {

// A fixed team of threads that sleep until there is work. The caller's thread is thread 0. team.cc implements it on
// std::thread, wasm/team.cc on threads that the host starts.
class Team {
 public:
  // Throws std::system_error if the machine cannot start that many threads.
  explicit Team(int size);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const { return size_; }

  // Runs work(thread) on all threads at once and returns when all are done. Rethrows the first exception. Work that calls
  // wait must not throw, because the other threads would wait forever.
  void run(const std::function<void(int)>& work);

  // A barrier, to be called by all threads inside run. Everything that a thread wrote before is visible to all after it.
  void wait(int thread);

 private:
  // The number of barriers that a thread has reached. Written by that thread alone and on its own cache line.
  struct alignas(128) Flag {
    std::atomic<std::uint32_t> arrivals{0};
  };

  struct Threads;

  void serve(int thread);
  void attempt(const std::function<void(int)>& work, int thread);
  void end();

  const int size_;
  std::unique_ptr<Flag[]> flags_;
  std::unique_ptr<Threads> threads_;
};

}  // namespace eigenae
