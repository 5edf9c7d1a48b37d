// Memory of the stand-in's card: ordinary memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace eigenae::emulation {

// Returns the address, aligned to 256 bytes as on a card, or 0 if there is no memory. The memory holds 0xFF.
std::uint64_t allocateDeviceMemory(std::size_t bytes);

// Returns false if this is not the address of an allocation.
bool freeDeviceMemory(std::uint64_t address);

// Returns whether the range is within one allocation.
bool isDeviceMemory(std::uint64_t address, std::size_t bytes);

}  // namespace eigenae::emulation
