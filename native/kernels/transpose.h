// Transposes of panels, by squares in registers.
#pragma once

#include "vector.h"

namespace eigenae {
namespace {

typedef float Quad __attribute__((vector_size(16), may_alias));

// 4 × 4
EIGENAE_INLINE void transposeQuads(Quad (&x)[4]) {
  const Quad a = __builtin_shufflevector(x[0], x[1], 0, 4, 1, 5), b = __builtin_shufflevector(x[0], x[1], 2, 6, 3, 7);
  const Quad c = __builtin_shufflevector(x[2], x[3], 0, 4, 1, 5), d = __builtin_shufflevector(x[2], x[3], 2, 6, 3, 7);
  x[0] = __builtin_shufflevector(a, c, 0, 1, 4, 5);
  x[1] = __builtin_shufflevector(a, c, 2, 3, 6, 7);
  x[2] = __builtin_shufflevector(b, d, 0, 1, 4, 5);
  x[3] = __builtin_shufflevector(b, d, 2, 3, 6, 7);
}

// The upper half added to the lower one, until four sums are left.
EIGENAE_INLINE Quad foldToQuad(Floats x) {
#if defined(__AVX512F__)
  typedef float Eight __attribute__((vector_size(32)));
  const Eight eight = __builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7) +
                      __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15);
  return __builtin_shufflevector(eight, eight, 0, 1, 2, 3) + __builtin_shufflevector(eight, eight, 4, 5, 6, 7);
#elif defined(__AVX2__)
  return __builtin_shufflevector(x, x, 0, 1, 2, 3) + __builtin_shufflevector(x, x, 4, 5, 6, 7);
#else
  return (Quad)x;
#endif
}

#if defined(__AVX512F__)
// 16 × 16, of rows in registers
EIGENAE_INLINE void transposeTile(Floats (&x)[lanes]) {
  Floats y[lanes];
  EIGENAE_UNROLL
  for (int i = 0; i < 16; i += 2) {
    y[i] = __builtin_shufflevector(x[i], x[i + 1], 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
    y[i + 1] = __builtin_shufflevector(x[i], x[i + 1], 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
  }
  EIGENAE_UNROLL
  for (int i = 0; i < 16; i += 4) {
    EIGENAE_UNROLL
    for (int j = 0; j < 2; ++j) {
      const Floats a = y[i + j], b = y[i + j + 2];
      x[i + 2 * j] = __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
      x[i + 2 * j + 1] = __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
    }
  }
  EIGENAE_UNROLL
  for (int i = 0; i < 16; i += 8) {
    EIGENAE_UNROLL
    for (int j = 0; j < 4; ++j) {
      const Floats a = x[i + j], b = x[i + j + 4];
      y[i + j] = __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
      y[i + j + 4] = __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    }
  }
  EIGENAE_UNROLL
  for (int j = 0; j < 8; ++j) {
    const Floats a = y[j], b = y[j + 8];
    x[j] = __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
    x[j + 8] = __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
  }
}

constexpr int squareSize = 16;

EIGENAE_INLINE void transposeSquare(const float* x, float* out) {
  Floats rows[squareSize];
  EIGENAE_UNROLL
  for (int i = 0; i < squareSize; ++i) rows[i] = load(x + i * panel);
  transposeTile(rows);
  EIGENAE_UNROLL
  for (int i = 0; i < squareSize; ++i) store(out + i * panel, rows[i]);
}
#else
constexpr int squareSize = 4;

EIGENAE_INLINE void transposeSquare(const float* x, float* out) {
  Quad rows[squareSize];
  EIGENAE_UNROLL
  for (int i = 0; i < squareSize; ++i) rows[i] = *reinterpret_cast<const Quad*>(x + i * panel);
  transposeQuads(rows);
  EIGENAE_UNROLL
  for (int i = 0; i < squareSize; ++i) *reinterpret_cast<Quad*>(out + i * panel) = rows[i];
}
#endif

void transpose(const float* x, int rows, float* out, std::size_t outStride) {
  for (int first = 0; first < rows; first += panel, x += panel * panel, out += outStride) {
    const int some = rows - first < panel ? rows - first : panel;
    for (int r = 0; r < some; r += squareSize) {
      for (int c = 0; c < panel; c += squareSize) transposeSquare(x + r * panel + c, out + c * panel + r);
    }
  }
}

}  // namespace
}  // namespace eigenae
