// Memory of the stand-in's card: ordinary memory, of which no more is given out than the card has.
#pragma once

#include <cstddef>
#include <cstdint>

namespace eigenae::emulation {

// Returns the address, aligned to 256 bytes as on a card, or 0 if the card is full. The memory holds 0xFF.
std::uint64_t allocateDeviceMemory(std::size_t bytes);

// Returns false if this is not the address of an allocation.
bool freeDeviceMemory(std::uint64_t address);

// Returns whether the range is within one allocation.
bool isDeviceMemory(std::uint64_t address, std::size_t bytes);

}  // namespace eigenae::emulation
