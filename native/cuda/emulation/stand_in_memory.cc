#include "stand_in_memory.h"

#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#include "stand_in_settings.h"

namespace eigenae::emulation {

namespace {

struct Allocations {
  std::mutex mutex;
  std::map<std::uint64_t, std::size_t> sizes;  // by address
};

// Never destroyed: launches may be running when the process ends.
Allocations& allocations() {
  static Allocations& all = *new Allocations;
  return all;
}

// Floats from 0.5 to 1, as doubles under 0.001, by a linear congruential generator.
void fillWithNumbers(std::uint32_t* words, std::size_t count) {
  std::uint32_t word = 1;
  for (std::size_t i = 0; i < count; ++i) {
    word = 1664525 * word + 1013904223;
    words[i] = 0x3f000000 | word >> 9;
  }
}

}  // namespace

std::uint64_t allocateDeviceMemory(std::size_t bytes) {
  Allocations& all = allocations();
  const std::lock_guard<std::mutex> lock(all.mutex);
  const std::size_t rounded = (bytes + 255) / 256 * 256;
  if (bytes == 0) return 0;
  void* const memory = std::aligned_alloc(256, rounded);
  if (memory == nullptr) return 0;
  std::memset(memory, 0xFF, rounded);
  if (settings().stepMicroseconds > 0) fillWithNumbers(static_cast<std::uint32_t*>(memory), rounded / 4);
  const auto address = reinterpret_cast<std::uint64_t>(memory);
  all.sizes[address] = rounded;
  return address;
}

bool freeDeviceMemory(std::uint64_t address) {
  Allocations& all = allocations();
  const std::lock_guard<std::mutex> lock(all.mutex);
  const auto found = all.sizes.find(address);
  if (found == all.sizes.end()) return false;
  all.sizes.erase(found);
  std::free(reinterpret_cast<void*>(address));
  return true;
}

bool isDeviceMemory(std::uint64_t address, std::size_t bytes) {
  Allocations& all = allocations();
  const std::lock_guard<std::mutex> lock(all.mutex);
  auto after = all.sizes.upper_bound(address);
  if (after == all.sizes.begin()) return false;
  const auto& [begin, size] = *--after;
  const std::uint64_t offset = address - begin;
  return offset <= size && bytes <= size - offset;
}

}  // namespace eigenae::emulation
