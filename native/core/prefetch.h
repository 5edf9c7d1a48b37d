// Bytes that will soon be read, fetched into the second cache: the nearest one is too small to keep what is not read at
// once.
#pragma once

#include <cstddef>
#include <cstdint>

namespace eigenae {

inline void prefetch(const std::uint8_t* bytes, std::size_t count) {
  constexpr std::size_t cacheLine = 64;
  const auto fetch = [](const std::uint8_t* line) {
    constexpr int forReading = 0, intoSecondCache = 2;
    __builtin_prefetch(line, forReading, intoSecondCache);
  };
  if (count == 0) return;
  for (std::size_t i = 0; i < count; i += cacheLine) fetch(bytes + i);
  fetch(bytes + count - 1);  // on one line more, unless the first byte begins one
  __asm__ __volatile__("");  // a function of nothing but prefetches is taken to do nothing
}

}  // namespace eigenae
