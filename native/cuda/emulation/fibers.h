// Runs a kernel's threads on one thread of the processor. Each is a fiber, which runs until it waits for others: at a
// barrier of its block or warp, or for a counter in global memory. Both forms of the kernel run on this: its source,
// compiled by a C++ compiler, and its PTX, translated by translate-ptx.mjs.
//
// ThreadSanitizer, if it is linked, is informed of the fibers and of the order that the barriers and counters make. It
// then reports every pair of accesses that nothing orders, in shared memory as well as between blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace eigenae::emulation {

struct Grid {
  unsigned blocks;
  unsigned threads;  // in each block
  // Shared memory of each block. It is filled with 0xFF (NaN) before the launch, so that nothing is 0 by chance.
  std::size_t sharedBytes;
  // All blocks run at once, so they may wait for each other. Otherwise one block runs after the other.
  bool cooperative;
};

// The order in which the threads start. A result that depends on it shows a missing barrier.
enum class Order { ascending, descending };

enum class Outcome {
  completed,
  deadlock,  // all remaining threads wait for each other
  trapped,   // a thread executed a trap
  fault,     // an access out of bounds or misaligned, or an overflow of a fiber's stack
  misuse,    // threads disagree about a barrier
};

struct LaunchResult {
  Outcome outcome;
  std::string problem;  // empty if completed
};

// Calls thread() once for each thread of the grid and returns when all have returned, or at the first failure. One
// launch runs at a time; others wait. The stacks of unfinished threads are dropped without unwinding.
LaunchResult launch(const Grid& grid, const std::function<void()>& thread, Order order);

// The functions below are for the threads of a launch.

unsigned threadIndex();   // within its block
unsigned blockIndex();    // within the grid
unsigned blockThreads();  // threads of a block
unsigned gridBlocks();    // blocks of the grid

// Shared memory of the thread's block, aligned to 128 bytes.
char* sharedMemory();
std::size_t sharedMemoryBytes();

// barrier.sync: waits until `threads` threads of the block have reached this barrier, one of 16.
void syncBarrier(unsigned barrier, unsigned threads);
inline void syncBlock() { syncBarrier(0, blockThreads()); }

// bar.warp.sync of all threads of the warp.
void syncWarp();

// ld.acquire of a counter. Lets other threads run if the value has not changed since this thread's last call.
std::uint32_t acquireLoad(const std::uint32_t* counter);

// red.release.add of a counter.
void releaseAdd(std::uint32_t* counter, std::uint32_t summand);

// Ends the launch.
[[noreturn]] void fail(Outcome outcome, std::string problem);

}  // namespace eigenae::emulation
