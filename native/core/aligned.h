#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#if defined(_WIN32)
#include <malloc.h>
#endif

namespace eigenae {

#if defined(_WIN32)  // has no aligned_alloc, and its free() does not accept aligned memory
inline void* allocateAligned(std::size_t alignment, std::size_t bytes) { return _aligned_malloc(bytes, alignment); }
inline void freeAligned(void* memory) { _aligned_free(memory); }
#else
inline void* allocateAligned(std::size_t alignment, std::size_t bytes) { return std::aligned_alloc(alignment, bytes); }
inline void freeAligned(void* memory) { std::free(memory); }
#endif

inline std::size_t roundUp(std::size_t count, std::size_t step) { return (count + step - 1) / step * step; }

struct Free {
  void operator()(float* memory) const { freeAligned(memory); }
};

using AlignedFloats = std::unique_ptr<float[], Free>;

// Returns `count` zeros that begin at a cache line. Throws std::bad_alloc.
inline AlignedFloats alignedFloats(std::size_t count) {
  const std::size_t bytes = (count * sizeof(float) + 127) / 64 * 64;
  float* memory = static_cast<float*>(allocateAligned(64, bytes));
  if (memory == nullptr) throw std::bad_alloc();
  std::memset(memory, 0, bytes);
  return AlignedFloats(memory);
}

}  // namespace eigenae
