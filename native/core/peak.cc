#include "peak.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

#include "instruction_set.h"

namespace eigenae {

namespace {

constexpr int passes = 5;
constexpr int iterations = 5'000'000;

struct Loop {
  float (*run)(float factor);
  double flops;
};

// SUMS chains hide the latency (4 cycles on 2 units, or on the 4 of arm64), and with two operands they fit the
// registers. They begin differently, or the compiler would compute one for all; a factor below 1 keeps them finite.
// Vectors are made whole: filled lane by lane, GCC 12 leaves the operands in memory, and the loop measures its loads.
#define EIGENAE_PEAK_LOOP(NAME, BYTES, SUMS, TARGET)                                        \
  TARGET float NAME(float factor) {                                                         \
    typedef float Vector __attribute__((vector_size(BYTES)));                               \
    const Vector scale = factor - Vector{}, addend = (1 - factor) - Vector{};               \
    Vector sums[SUMS];                                                                      \
    _Pragma("GCC unroll 32") for (int s = 0; s < SUMS; ++s) sums[s] = factor * s - Vector{}; \
    for (int i = 0; i < iterations; ++i) {                                                  \
      _Pragma("GCC unroll 32") for (int s = 0; s < SUMS; ++s) sums[s] = sums[s] * scale + addend; \
    }                                                                                       \
    _Pragma("GCC unroll 32") for (int s = 1; s < SUMS; ++s) sums[0] += sums[s];             \
    return sums[0][0];                                                                      \
  }                                                                                         \
  constexpr double NAME##Flops = 2.0 * iterations * SUMS * (BYTES / sizeof(float));

#if defined(__x86_64__)
EIGENAE_PEAK_LOOP(avx512Loop, 64, 16, __attribute__((target("avx512f"))))
EIGENAE_PEAK_LOOP(avx2Loop, 32, 14, __attribute__((target("avx2,fma"))))
EIGENAE_PEAK_LOOP(plainLoop, 16, 14, )
#else
EIGENAE_PEAK_LOOP(plainLoop, 16, 16, )
#endif

Loop loopOfThisMachine() {
#if defined(__x86_64__)
  const char* set = chosenInstructionSet().name;
  if (std::strcmp(set, "amx") == 0 || std::strcmp(set, "avx512") == 0) return {avx512Loop, avx512LoopFlops};
  if (std::strcmp(set, "avx2") == 0) return {avx2Loop, avx2LoopFlops};
#endif
  return {plainLoop, plainLoopFlops};
}

std::atomic<float> result;  // where the sums go, so that they are computed

double secondsOfPass(const Loop& loop, int threads) {
  std::atomic<int> missing{threads};
  std::vector<std::thread> others;
  const auto work = [&] {
    for (--missing; missing > 0;) std::this_thread::yield();
    result = loop.run(0.5f);
  };
  try {
    for (int t = 1; t < threads; ++t) others.emplace_back(work);
  } catch (...) {
    missing = 0;
    for (std::thread& other : others) other.join();
    throw;
  }
  while (missing > 1) std::this_thread::yield();
  const auto start = std::chrono::steady_clock::now();
  work();
  for (std::thread& other : others) other.join();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

double measurePeak(int threads) {
  const Loop loop = loopOfThisMachine();
  double seconds = secondsOfPass(loop, threads);
  for (int pass = 1; pass < passes; ++pass) seconds = std::min(seconds, secondsOfPass(loop, threads));
  return loop.flops * threads / seconds * 1e-9;
}

}  // namespace eigenae
