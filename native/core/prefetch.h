#pragma once

#include <cstddef>
#include <cstdint>

namespace eigenae {

// Fetches bytes that will be read soon into the second-level cache. The first-level cache is too small to keep them until
// then.
inline void prefetch(const std::uint8_t* bytes, std::size_t count) {
  constexpr std::size_t cacheLine = 64;
  const auto fetch = [](const std::uint8_t* line) {
    constexpr int forReading = 0, intoSecondCache = 2;
    __builtin_prefetch(line, forReading, intoSecondCache);
  };
  if (count == 0) return;
  for (std::size_t i = 0; i < count; i += cacheLine) fetch(bytes + i);
  fetch(bytes + count - 1);  // the last byte may be on one more cache line
  __asm__ __volatile__("");  // without it, compilers drop a function that consists of prefetches alone
}

}  // namespace eigenae
