// Measures the two passes that batch norm cannot do without, in values a nanosecond on one core and on all: one that
// reads the activations for their statistics, and one that reads and writes them to normalise.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include "cores.h"

// The activations of 64 images of 784-128-64-12-10 between the input and the output: more than the first cache holds,
// and less than the second.
constexpr int images = 64, units = 128 + 64 + 12 + 10 + 12 + 64 + 128;
constexpr int values = images * units;
constexpr int runs = 20, repetitions = 100;

typedef float Vector __attribute__((vector_size(64)));
constexpr int vectors = values / (sizeof(Vector) / sizeof(float)), sums = 4;
static_assert(vectors % sums == 0, "the sums take equally many vectors");

std::atomic<float> result;  // receives the sums, so that the compiler does not drop the first pass

void makeBothPasses(Vector* x) {
  Vector sum[sums] = {}, squares[sums] = {};
  for (int i = 0; i < vectors; i += sums) {
    for (int s = 0; s < sums; ++s) {
      sum[s] += x[i + s];
      squares[s] += x[i + s] * x[i + s];
    }
  }
  for (int s = 1; s < sums; ++s) {
    sum[0] += sum[s];
    squares[0] += squares[s];
  }
  const float mean = sum[0][0] / images, scale = 1 / (1 + squares[0][0]);
  for (int i = 0; i < vectors; ++i) x[i] = (x[i] - mean) * scale;
  result = mean;
}

double valuesPerNanosecond(int threads) {
  double best = 0;
  for (int run = 0; run < runs; ++run) {
    std::atomic<int> missing{threads};
    std::vector<double> nanoseconds(threads);
    std::vector<std::thread> team;
    for (int thread = 0; thread < threads; ++thread) {
      team.emplace_back([&, thread] {
        pinToCore(thread);
        std::vector<Vector> x(vectors, Vector{} + 0.5f);
        makeBothPasses(x.data());
        for (--missing; missing > 0;) std::this_thread::yield();
        const auto start = std::chrono::steady_clock::now();
        for (int i = 0; i < repetitions; ++i) makeBothPasses(x.data());
        nanoseconds[thread] =
            std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
      });
    }
    for (std::thread& each : team) each.join();
    const double longest = *std::max_element(nanoseconds.begin(), nanoseconds.end());
    best = std::max(best, 1.0 * threads * values * repetitions / longest);
  }
  return best;
}

int main() {
  std::printf("{\"one\": %.3f, \"all\": %.3f}\n", valuesPerNanosecond(1), valuesPerNanosecond(coreCount()));
}
