// The inner loop of products.h for WebAssembly. clang 16 adds offsets to addresses by separate instructions, because a sum
// might wrap around the end of the memory, and reorders loads until registers spill. This hand-written loop is 1.6 times as
// fast.
#pragma once

#include "vector.h"

namespace eigenae {
namespace {

template <int offset>
EIGENAE_INLINE Floats loadAt(const float* base) {
  Floats value;
  __asm__ __volatile__("local.get %1\n\tv128.load %2\n\tlocal.set %0"
                       : "=r"(value)
                       : "r"(base), "i"(offset * sizeof(float)));
  return value;
}

template <int offset>
EIGENAE_INLINE Floats broadcastAt(const float* base) {
  Floats value;
  __asm__ __volatile__("local.get %1\n\tv128.load32_splat %2\n\tlocal.set %0"
                       : "=r"(value)
                       : "r"(base), "i"(offset * sizeof(float)));
  return value;
}

EIGENAE_INLINE void addProduct(Floats a, Floats b, Floats& sum) {
#if defined(__wasm_relaxed_simd__)
  sum = (Floats)__builtin_wasm_relaxed_madd_f32x4(a, b, sum);
#else
  sum += a * b;
#endif
}

template <int rows, int rowStep, int row = 0>
EIGENAE_INLINE void addRows(const float* a, Floats b0, Floats b1, Floats (&sum)[rows][2]) {
  if constexpr (row < rows) {
    const Floats factor = broadcastAt<row * rowStep>(a);
    addProduct(factor, b0, sum[row][0]);
    addProduct(factor, b1, sum[row][1]);
    addRows<rows, rowStep, row + 1>(a, b0, b1, sum);
  }
}

template <int rows, int rowStep, int depthStep>
EIGENAE_INLINE void addProducts(const float* a, const float* b, int depth, Floats (&sum)[rows][2]) {
#pragma clang loop unroll(disable)
  for (int k = 0; k < depth; ++k, a += depthStep, b += panel) {
    addRows<rows, rowStep>(a, loadAt<0>(b), loadAt<lanes>(b), sum);
  }
}

}  // namespace
}  // namespace eigenae
