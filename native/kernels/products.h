// Matrix products on panels. A tile of rows × one panel is summed up in registers, two vectors a row.
#pragma once

#include "parts.h"
#if defined(__wasm_simd128__)
#include "wasm_products.h"
#endif

namespace eigenae {
namespace {

// Two sums a row, the row of b and a broadcast number must fit the registers: 16 on x86-64 up to AVX2, otherwise 32.
// Under a sanitizer every height costs the compiler half a minute.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int maximalRows = 3;
#elif defined(__AVX512F__) || defined(__aarch64__)
constexpr int maximalRows = 12;
#elif defined(__wasm_simd128__)
constexpr int maximalRows = 4;
#else
constexpr int maximalRows = 6;
#endif

#if !defined(__wasm_simd128__)
EIGENAE_INLINE void addProduct(Floats a, Floats b, Floats& sum) { sum += a * b; }

// sum [rows][panel] += a · b over `depth` rows of b. Steps in a: from row to row, and along the depth.
template <int rows, int rowStep, int depthStep>
EIGENAE_INLINE void addProducts(const float* a, const float* b, int depth, Floats (&sum)[rows][2]) {
#pragma GCC unroll 4
  for (int k = 0; k < depth; ++k) {
    const Floats b0 = load(b + k * panel), b1 = load(b + k * panel + lanes);
    EIGENAE_UNROLL
    for (int r = 0; r < rows; ++r) {
      const Floats factor = broadcast(a[r * rowStep + k * depthStep]);
      sum[r][0] += factor * b0;
      sum[r][1] += factor * b1;
    }
  }
}
#endif

template <int rows>
EIGENAE_INLINE void clear(Floats (&sum)[rows][2]) {
  EIGENAE_UNROLL
  for (int r = 0; r < rows; ++r) sum[r][0] = sum[r][1] = Floats{};
}

template <int rows>
EIGENAE_INLINE void storeTile(const Floats (&sum)[rows][2], float* out) {
  EIGENAE_UNROLL
  for (int r = 0; r < rows; ++r) {
    store(out + r * panel, sum[r][0]);
    store(out + r * panel + lanes, sum[r][1]);
  }
}

// Calls body(first, std::integral_constant-like size) for parts of nearly the same size, of which none is larger than
// `most`: a part of one or two would have too few sums to keep the multipliers busy.
template <int count>
struct Size {
  static constexpr int value = count;
};

template <int most, typename Body>
EIGENAE_INLINE void callPart(int size, int first, Body& body) {
  if constexpr (most == 1) {
    body(first, Size<1>());
  } else {
    if (size == most) return body(first, Size<most>());
    callPart<most - 1>(size, first, body);
  }
}

template <int most, typename Body>
EIGENAE_INLINE void forParts(int count, Body body) {
  int first = 0;
  for (int parts = (count + most - 1) / most; parts > 0; --parts) {
    const int size = (count - first + parts - 1) / parts;
    callPart<most>(size, first, body);
    first += size;
  }
}

template <int rows>
EIGENAE_INLINE void addTile(const float* out, Floats (&sum)[rows][2]) {
  EIGENAE_UNROLL
  for (int r = 0; r < rows; ++r) {
    sum[r][0] += load(out + r * panel);
    sum[r][1] += load(out + r * panel + lanes);
  }
}

template <int rows>
__attribute__((noinline)) void multiplyTile(const float* a, std::size_t aStride, int depth, const float* b, bool add,
                                            float* out) {
  Floats sum[rows][2];
  clear(sum);
  for (; depth > panel; depth -= panel, a += aStride, b += panel * panel) addProducts<rows, panel, 1>(a, b, panel, sum);
  addProducts<rows, panel, 1>(a, b, depth, sum);
  if (add) addTile(out, sum);
  storeTile(sum, out);
}

void multiply(const float* a, std::size_t aStride, int rows, int depth, const float* b, bool add, float* out) {
  forParts<maximalRows>(rows, [&](int first, auto height) {
    multiplyTile<decltype(height)::value>(a + first * panel, aStride, depth, b, add, out + first * panel);
  });
}

template <int columns>
__attribute__((noinline)) void multiplyTransposedTile(const float* a, int depth, const float* b, float* out) {
  Floats sum[columns][2];
  clear(sum);
  addProducts<columns, 1, panel>(a, b, depth, sum);
  storeTile(sum, out);
}

void multiplyTransposed(const float* a, std::size_t aStride, int columns, int depth, const float* b, float* out) {
  for (; columns > 0; columns -= panel, a += aStride, out += panel * panel) {
    forParts<maximalRows>(columns < panel ? columns : panel, [&](int first, auto height) {
      multiplyTransposedTile<decltype(height)::value>(a + first, depth, b, out + first * panel);
    });
  }
}

void sumParts(const Parts& parts, int rows, float* out) {
  const int size = rows * panel;
  if (parts.groups == 2 && parts.counts[0] == 1 && parts.counts[1] == 1) {  // one and two threads
    for (int i = 0; i < size; i += lanes) store(out + i, load(parts.parts[0] + i) + load(parts.parts[1] + i));
    return;
  }
  for (int i = 0; i < size; i += lanes) store(out + i, sumOf(parts, [i](const float* part) { return load(part + i); }));
}

}  // namespace
}  // namespace eigenae
