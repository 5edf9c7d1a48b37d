// Measures the time that a cache line takes from the first core to each other one: half of a counter's round trip
// between two threads, the best of several runs.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>

#include "cores.h"

constexpr int passes = 20;
constexpr int roundTrips = 5000;

// Increments the counter whenever it is even (parity 0) or odd (parity 1), so that the two threads take turns.
void takeTurns(std::atomic<int>& counter, int parity, int core) {
  pinToCore(core);
  for (int turn = parity; turn < 2 * roundTrips; turn += 2) {
    while (counter.load(std::memory_order_acquire) != turn) {
    }
    counter.store(turn + 1, std::memory_order_release);
  }
}

double nanosecondsBetween(int one, int other) {
  double best = 1e9;
  for (int pass = 0; pass < passes; ++pass) {
    alignas(128) std::atomic<int> counter{-1};
    std::thread first(takeTurns, std::ref(counter), 0, one), second(takeTurns, std::ref(counter), 1, other);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // by then both threads run on their cores
    const auto start = std::chrono::steady_clock::now();
    counter = 0;
    first.join();
    second.join();
    const std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - start;
    best = std::min(best, elapsed.count() / (2 * roundTrips));
  }
  return best;
}

int main() {
  std::printf("{\"nanoseconds_from_first_core\": [");
  for (int other = 1; other < coreCount(); ++other) {
    std::printf("%s%.1f", other == 1 ? "" : ", ", nanosecondsBetween(0, other));
  }
  std::printf("]}\n");
}
