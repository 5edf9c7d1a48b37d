#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace eigenae {

struct Free {
  void operator()(float* memory) const { std::free(memory); }
};

using AlignedFloats = std::unique_ptr<float[], Free>;

// Zeros, at the start of a cache line.
inline AlignedFloats alignedFloats(std::size_t count) {
  const std::size_t bytes = (count * sizeof(float) + 127) / 64 * 64;
  float* memory = static_cast<float*>(std::aligned_alloc(64, bytes));
  if (memory == nullptr) throw std::bad_alloc();
  std::memset(memory, 0, bytes);
  return AlignedFloats(memory);
}

}  // namespace eigenae
