#include "fibers.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "stack_switch.h"
#include "thread_sanitizer.h"

namespace eigenae::emulation {

namespace {

constexpr unsigned warpSize = 32;
constexpr unsigned barriersOfBlock = 16;
constexpr std::size_t stackBytes = 256 * 1024;  // a translated kernel keeps thousands of registers there
constexpr std::uint64_t canary = 0x5ca1ab1e0ddba11;

struct Fiber {
  unsigned block, thread;
  Fiber* next = nullptr;  // in the list in which it waits
  void* stack = nullptr;
  char* stackEnd = nullptr;  // its lowest address, where the canary is
  void* sanitizer = nullptr;
  // The last counter that acquireLoad read, and its value.
  const std::uint32_t* polled = nullptr;
  std::uint32_t polledValue = 0;
};

// A queue. It allocates nothing and calls no library function: ThreadSanitizer would attribute these to the fiber.
struct FiberList {
  Fiber* first = nullptr;
  Fiber* last = nullptr;
  std::size_t size = 0;

  void append(Fiber* fiber) {
    fiber->next = nullptr;
    (last != nullptr ? last->next : first) = fiber;
    last = fiber;
    ++size;
  }
  Fiber* takeFirst() {
    Fiber* const fiber = first;
    first = fiber->next;
    if (first == nullptr) last = nullptr;
    --size;
    return fiber;
  }
  void appendAll(FiberList& other) {
    while (other.size > 0) append(other.takeFirst());
  }
};

struct Barrier {
  std::string name;
  unsigned threads = 0;  // that the threads which have arrived expect
  unsigned phase = 0;
  FiberList waiting;
  // Addresses that stand for the barrier in ThreadSanitizer. There are two, so that an arrival at the next phase orders
  // nothing in this phase.
  char tokens[2];
};

struct Block {
  std::unique_ptr<char[]> memory;
  char* shared = nullptr;
  Barrier barriers[barriersOfBlock];
  std::vector<Barrier> warps;
};

// Memory for the stacks, kept between launches. Pages that no fiber touches take no memory.
class Stacks {
 public:
  char* reserve(std::size_t fibers) {
    if (fibers <= fibers_) return memory_;
    release();
    void* const memory =
        mmap(nullptr, fibers * stackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    memory_ = static_cast<char*>(memory);
    fibers_ = fibers;
    return memory_;
  }
  ~Stacks() { release(); }

 private:
  void release() {
    if (memory_ != nullptr) munmap(memory_, fibers_ * stackBytes);
    memory_ = nullptr;
    fibers_ = 0;
  }

  char* memory_ = nullptr;
  std::size_t fibers_ = 0;
};

// The blocks that run at once: all of a cooperative launch, otherwise one.
class Machine {
 public:
  Machine(const Grid& grid, unsigned firstBlock, unsigned blocks, const std::function<void()>& thread, Order order,
          Stacks& stacks);
  ~Machine() {
    for (Fiber& fiber : fibers_) sanitizer::destroyFiber(fiber.sanitizer);
  }

  LaunchResult run();

  Fiber& current() { return *current_; }
  Block& block() { return blocks_[current_->block - firstBlock_]; }
  const Grid& grid() const { return grid_; }

  void meet(Barrier& barrier, unsigned threads);
  std::uint32_t poll(const std::uint32_t* counter);
  void progress() {
    ++progress_;
    ready_.appendAll(polling_);
  }
  [[noreturn]] void stop(Outcome outcome, std::string problem);
  void runThread();

 private:
  void switchToNext();
  void wakePollers();
  std::string waitingThreads() const;

  const Grid grid_;
  const unsigned firstBlock_;
  const std::function<void()>& thread_;
  std::vector<Block> blocks_;
  std::vector<Fiber> fibers_;
  FiberList ready_;
  FiberList polling_;  // those that read a counter twice without a change
  Fiber* current_ = nullptr;
  std::size_t unfinished_ = 0;
  std::uint64_t progress_ = 0;  // arrivals of the last thread at a barrier, additions to counters and ends of threads
  std::uint64_t progressAtLastWake_ = ~std::uint64_t{0};
  std::size_t pollingAtLastWake_ = 0;
  LaunchResult result_{Outcome::completed, ""};
  void* main_ = nullptr;
  void* mainSanitizer_ = nullptr;
  char endToken_;
};

Machine* machine = nullptr;

void enterThread() { machine->runThread(); }

Machine::Machine(const Grid& grid, unsigned firstBlock, unsigned blocks, const std::function<void()>& thread,
                 Order order, Stacks& stacks)
    : grid_(grid),
      firstBlock_(firstBlock),
      thread_(thread),
      blocks_(blocks),
      fibers_(std::size_t{blocks} * grid.threads) {
  for (Block& block : blocks_) {
    block.memory.reset(new char[grid.sharedBytes + 128]);
    std::memset(block.memory.get(), 0xFF, grid.sharedBytes + 128);
    const auto address = reinterpret_cast<std::uintptr_t>(block.memory.get());
    block.shared = block.memory.get() + (128 - address % 128) % 128;
    for (unsigned i = 0; i < barriersOfBlock; ++i) block.barriers[i].name = "barrier " + std::to_string(i);
    block.warps.resize((grid.threads + warpSize - 1) / warpSize);
    for (std::size_t i = 0; i < block.warps.size(); ++i)
      block.warps[i].name = "the barrier of warp " + std::to_string(i);
  }
  char* const memory = stacks.reserve(fibers_.size());
  for (std::size_t i = 0; i < fibers_.size(); ++i) {
    Fiber& fiber = fibers_[i];
    fiber.block = firstBlock + static_cast<unsigned>(i / grid.threads);
    fiber.thread = static_cast<unsigned>(i % grid.threads);
    fiber.stackEnd = memory + i * stackBytes;
    std::memcpy(fiber.stackEnd, &canary, sizeof canary);
    fiber.stack = newStack(fiber.stackEnd + stackBytes, enterThread);
    fiber.sanitizer = sanitizer::createFiber();
  }
  for (std::size_t i = 0; i < fibers_.size(); ++i)
    ready_.append(&fibers_[order == Order::ascending ? i : fibers_.size() - 1 - i]);
  unfinished_ = fibers_.size();
}

LaunchResult Machine::run() {
  mainSanitizer_ = sanitizer::currentFiber();
  current_ = ready_.takeFirst();
  sanitizer::switchTo(current_->sanitizer);
  switchStack(&main_, current_->stack);
  sanitizer::acquire(&endToken_);
  if (result_.outcome == Outcome::deadlock) result_.problem = "deadlock: " + waitingThreads();
  if (result_.outcome == Outcome::completed) {
    for (const Fiber& fiber : fibers_)
      if (std::memcmp(fiber.stackEnd, &canary, sizeof canary) != 0) return {Outcome::fault, "stack overflow"};
  }
  return result_;
}

// The life of a fiber.
void Machine::runThread() {
  thread_();
  sanitizer::release(&endToken_);
  --unfinished_;
  progress();
  if (unfinished_ == 0) stop(Outcome::completed, "");
  switchToNext();
  __builtin_unreachable();
}

// Continues with a thread that can run. Returns when the caller's fiber is switched to again.
void Machine::switchToNext() {
  if (ready_.size == 0) wakePollers();
  Fiber* const previous = current_;
  current_ = ready_.takeFirst();
  if (current_ == previous) return;
  sanitizer::switchTo(current_->sanitizer);
  switchStack(&previous->stack, current_->stack);
}

// Lets the threads that wait for a counter read it once more. If nothing has come of that before, they wait forever.
void Machine::wakePollers() {
  if (polling_.size == 0 || (progress_ == progressAtLastWake_ && polling_.size == pollingAtLastWake_))
    stop(Outcome::deadlock, "");
  progressAtLastWake_ = progress_;
  pollingAtLastWake_ = polling_.size;
  ready_.appendAll(polling_);
}

void Machine::stop(Outcome outcome, std::string problem) {
  result_ = {outcome, std::move(problem)};
  sanitizer::release(&endToken_);
  sanitizer::switchTo(mainSanitizer_);
  switchStack(&current_->stack, main_);
  __builtin_unreachable();
}

void Machine::meet(Barrier& barrier, unsigned threads) {
  if (barrier.waiting.size == 0) barrier.threads = threads;
  if (barrier.threads != threads) {
    stop(Outcome::misuse, barrier.name + " of block " + std::to_string(current_->block) + " is for " +
                              std::to_string(barrier.threads) + " threads, thread " + std::to_string(current_->thread) +
                              " expects " + std::to_string(threads));
  }
  char* const token = &barrier.tokens[barrier.phase % 2];
  sanitizer::release(token);
  if (barrier.waiting.size + 1 < threads) {
    barrier.waiting.append(current_);
    switchToNext();
  } else {
    ++barrier.phase;
    ready_.appendAll(barrier.waiting);
    progress();
  }
  sanitizer::acquire(token);
}

std::uint32_t Machine::poll(const std::uint32_t* counter) {
  Fiber& fiber = *current_;
  if (fiber.polled == counter && fiber.polledValue == *counter) {
    polling_.append(&fiber);
    switchToNext();
  }
  fiber.polled = counter;
  fiber.polledValue = *counter;
  sanitizer::acquire(counter);
  return fiber.polledValue;
}

// Returns for example "block 0: 255 of 256 threads at barrier 1; block 1: 1 thread at a counter".
std::string Machine::waitingThreads() const {
  std::string text;
  const auto append = [&](unsigned block, const std::string& what) {
    text += (text.empty() ? "block " : "; block ") + std::to_string(block) + ": " + what;
  };
  const auto appendBarrier = [&](unsigned block, const Barrier& barrier) {
    if (barrier.waiting.size == 0) return;
    append(block, std::to_string(barrier.waiting.size) + " of " + std::to_string(barrier.threads) + " threads at " +
                      barrier.name);
  };
  for (std::size_t i = 0; i < blocks_.size() && text.size() < 400; ++i) {
    const auto block = static_cast<unsigned>(firstBlock_ + i);
    for (const Barrier& barrier : blocks_[i].barriers) appendBarrier(block, barrier);
    for (const Barrier& barrier : blocks_[i].warps) appendBarrier(block, barrier);
    for (const Fiber* fiber = polling_.first; fiber != nullptr; fiber = fiber->next)
      if (fiber->block == block) append(block, "thread " + std::to_string(fiber->thread) + " at a counter");
  }
  return text;
}

}  // namespace

LaunchResult launch(const Grid& grid, const std::function<void()>& thread, Order order) {
  static std::mutex mutex;
  static Stacks stacks;
  const std::lock_guard<std::mutex> lock(mutex);
  const unsigned atOnce = grid.cooperative ? grid.blocks : 1;
  for (unsigned i = 0; i < grid.blocks; i += atOnce) {
    const unsigned first = order == Order::ascending ? i : grid.blocks - atOnce - i;
    Machine blocks(grid, first, atOnce, thread, order, stacks);
    machine = &blocks;
    const LaunchResult result = blocks.run();
    machine = nullptr;
    if (result.outcome != Outcome::completed) return result;
  }
  return {Outcome::completed, ""};
}

unsigned threadIndex() { return machine->current().thread; }
unsigned blockIndex() { return machine->current().block; }
unsigned blockThreads() { return machine->grid().threads; }
unsigned gridBlocks() { return machine->grid().blocks; }
char* sharedMemory() { return machine->block().shared; }
std::size_t sharedMemoryBytes() { return machine->grid().sharedBytes; }

void syncBarrier(unsigned barrier, unsigned threads) {
  // A card counts arrivals by warps.
  const bool wholeWarps = threads % warpSize == 0 || threads == blockThreads();
  if (barrier >= barriersOfBlock || threads > blockThreads() || !wholeWarps)
    fail(Outcome::misuse, "barrier " + std::to_string(barrier) + " for " + std::to_string(threads) + " threads");
  machine->meet(machine->block().barriers[barrier], threads);
}

void syncWarp() {
  const unsigned warp = threadIndex() / warpSize;
  machine->meet(machine->block().warps[warp], std::min(warpSize, blockThreads() - warp * warpSize));
}

std::uint32_t acquireLoad(const std::uint32_t* counter) { return machine->poll(counter); }

void releaseAdd(std::uint32_t* counter, std::uint32_t summand) {
  sanitizer::release(counter);
  *counter += summand;
  machine->progress();
}

void fail(Outcome outcome, std::string problem) { machine->stop(outcome, std::move(problem)); }

}  // namespace eigenae::emulation
