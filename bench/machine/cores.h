// The cores that this process may use, by their index in its affinity mask. Threads are pinned on Linux only.
#pragma once

#include <thread>

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>

inline cpu_set_t allowedCores() {
  static const cpu_set_t allowed = [] {
    cpu_set_t cores;
    sched_getaffinity(0, sizeof cores, &cores);
    return cores;
  }();
  return allowed;
}

inline int coreCount() {
  const cpu_set_t allowed = allowedCores();
  return CPU_COUNT(&allowed);
}

inline void pinToCore(int place) {
  const cpu_set_t allowed = allowedCores();
  int core = 0;
  while (!CPU_ISSET(core, &allowed) || place-- > 0) ++core;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(core, &one);
  pthread_setaffinity_np(pthread_self(), sizeof one, &one);
}
#else
inline int coreCount() { return static_cast<int>(std::thread::hardware_concurrency()); }
inline void pinToCore(int) {}
#endif
