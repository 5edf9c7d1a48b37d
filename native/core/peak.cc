#include "peak.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "instruction_set.h"

namespace eigenae {

namespace {

constexpr int runs = 5;
constexpr int iterations = 5'000'000;

struct Loop {
  float (*run)(float factor);
  double flops;
};

// SUMS independent chains hide the latency (4 cycles on 2 units, on 4 units of arm64) and fit the registers together
// with two operands. They start with different values, because the compiler would otherwise compute one for all. A
// factor below 1 keeps them finite. Vectors are built as a whole: if they were filled lane by lane, GCC 12 would keep
// the operands in memory and the loop would measure its loads.
#define EIGENAE_PEAK_LOOP(NAME, BYTES, SUMS, TARGET)                                              \
  TARGET float NAME(float factor) {                                                               \
    typedef float Vector __attribute__((vector_size(BYTES)));                                     \
    const Vector scale = factor - Vector{}, addend = (1 - factor) - Vector{};                     \
    Vector sums[SUMS];                                                                            \
    _Pragma("GCC unroll 32") for (int s = 0; s < SUMS; ++s) sums[s] = factor * s - Vector{};      \
    for (int i = 0; i < iterations; ++i) {                                                        \
      _Pragma("GCC unroll 32") for (int s = 0; s < SUMS; ++s) sums[s] = sums[s] * scale + addend; \
    }                                                                                             \
    _Pragma("GCC unroll 32") for (int s = 1; s < SUMS; ++s) sums[0] += sums[s];                   \
    return sums[0][0];                                                                            \
  }                                                                                               \
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
  switch (chosenInstructionSet().kernels->panelColumns) {  // two vectors
    case 32:
      return {.run = avx512Loop, .flops = avx512LoopFlops};
    case 16:
      return {.run = avx2Loop, .flops = avx2LoopFlops};
  }
#endif
  return {.run = plainLoop, .flops = plainLoopFlops};
}

std::atomic<float> result;  // receives the sums, so that the compiler does not drop the loop

double secondsOfRun(const Loop& loop, int threads) {
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
  double seconds = secondsOfRun(loop, threads);
  for (int run = 1; run < runs; ++run) seconds = std::min(seconds, secondsOfRun(loop, threads));
  return loop.flops * threads / seconds * 1e-9;
}

}  // namespace eigenae
