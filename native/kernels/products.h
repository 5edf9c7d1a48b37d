// Dense matrix products on panels. A tile of up to maximalRows rows × one panel of the result is accumulated in registers,
// two vectors a row.
#pragma once

#include "kernels.h"
#include "vector.h"
#if defined(__wasm_simd128__)
#include "wasm_products.h"
#endif

namespace eigenae {
namespace {

// The two sums of each row, two vectors of b and a broadcast element must fit the registers: 16 on x86-64 up to AVX2, 32
// elsewhere. With a sanitizer each height takes the compiler half a minute, so there are fewer.
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

// sum [rows][panel] += a [rows][depth] · b [depth][panel]. rowStep and depthStep are the distances in a from row to row
// and along the depth.
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

// A size as a type, so that a tile's height is a constant in the code that is compiled for it.
template <int count>
struct Size {
  static constexpr int value = count;
};

template <int most, typename Body>
EIGENAE_INLINE void callWithSize(int size, int first, Body& body) {
  if constexpr (most == 1) {
    body(first, Size<1>());
  } else {
    if (size == most) return body(first, Size<most>());
    callWithSize<most - 1>(size, first, body);
  }
}

// Cuts [0, count) into the fewest tiles of at most `most` and of nearly equal sizes, and calls body(first, Size<size>())
// for each. Equal sizes matter because a tile of one or two rows has too few sums to keep the multipliers busy.
template <int most, typename Body>
EIGENAE_INLINE void forEachTile(int count, Body body) {
  int first = 0;
  for (int tiles = (count + most - 1) / most; tiles > 0; --tiles) {
    const int size = (count - first + tiles - 1) / tiles;
    callWithSize<most>(size, first, body);
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
  forEachTile<maximalRows>(rows, [&](int first, auto height) {
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
    forEachTile<maximalRows>(columns < panel ? columns : panel, [&](int first, auto height) {
      multiplyTransposedTile<decltype(height)::value>(a + first, depth, b, out + first * panel);
    });
  }
}

// Returns the total of loadFrom(sum) over all partial sums, in their fixed order.
template <typename LoadFrom>
EIGENAE_INLINE auto total(const PartialSums& partialSums, LoadFrom loadFrom) {
  const float* const* next = partialSums.sums;
  decltype(loadFrom(*next)) all{};
  for (int group = 0; group < partialSums.groups; ++group) {
    auto sum = loadFrom(*next++);
    for (int j = 1; j < partialSums.counts[group]; ++j) sum += loadFrom(*next++);
    all = group == 0 ? sum : all + sum;
  }
  return all;
}

void addPartialSums(const PartialSums& sums, int rows, float* out) {
  const int size = rows * panel;
  if (sums.groups == 2 && sums.counts[0] == 1 && sums.counts[1] == 1) {  // the case of one and of two threads
    for (int i = 0; i < size; i += lanes) store(out + i, load(sums.sums[0] + i) + load(sums.sums[1] + i));
    return;
  }
  for (int i = 0; i < size; i += lanes) store(out + i, total(sums, [i](const float* sum) { return load(sum + i); }));
}

}  // namespace
}  // namespace eigenae
