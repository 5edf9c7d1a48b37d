// Weight gradients, each tile followed by its Adam update. Adam is limited by the units for square root and division,
// products by the multipliers. The gradient of a finished tile therefore waits in memory, and its update runs, vector
// by vector, between the products of the next tile.
#pragma once

#include "adam.h"
#include "products.h"

namespace eigenae {
namespace {

// Progress of the pending updates: the next gradient, and the offsets of the vectors at each of Adam's three stages.
struct Cursor {
  const float* next;
  std::size_t first, second, third;
};

// The pending updates of a tile whose gradient is known. Each call of advance runs one stage for each of three
// neighbouring vectors. All three stages of one vector in a row would exceed the processor's reorder window.
//
//   advance      …  n      n+1    n+2
//   vector i        3
//   vector i+1      2      3               stage 3 runs first and reads the root that stage 2 stored in the call before
//   vector i+2      1      2      3
//   vector i+3             1      2        the first vector of the next tile, once this tile has no more
//
struct Pending {
  alignas(64) float gradient[maximalRows * panel];
  alignas(64) float root[lanes];  // the denominator of the vector that is next at stage 3
  const AdamVectors step;
  const AdamArrays w;
  const float* end = gradient;  // end of the pending gradients
  Cursor cursor{gradient, 0, 0, 0};
  bool started = false;

  Pending(const AdamArrays& trained, const AdamStep& adamStep) : step(adamStep), w(trained) {}

  EIGENAE_INLINE void stage1(const float* from, std::size_t at) {
    updateMoments(load(from), w.firstMoments + at, w.secondMoments + at, step);
  }
  EIGENAE_INLINE void stage2(std::size_t at) { store(root, denominator(w.secondMoments + at, step)); }
  EIGENAE_INLINE void stage3(std::size_t at) {
    updateParameters(w.parameters + at, w.firstMoments + at, load(root), step);
  }

  EIGENAE_INLINE void advance(Cursor& at) {
    stage3(at.third);
    stage2(at.second);
    stage1(at.next, at.first);
    at = {at.next + lanes, at.first + lanes, at.first, at.second};
  }

  // Begins the updates of the tile at `offset` of w. Its gradient has been written and no other one is pending.
  void start(std::size_t offset, int size) {
    end = gradient + size;
    cursor.next = gradient;
    cursor.first = offset;
    if (started) return;
    started = true;
    stage1(gradient, offset);
    stage2(offset);
    stage1(gradient + lanes, offset + lanes);
    cursor = {gradient + 2 * lanes, offset + 2 * lanes, offset + lanes, offset};
  }

  void finishTile() {
    while (cursor.next < end) advance(cursor);
  }

  void finish() {
    if (!started) return;
    finishTile();
    stage3(cursor.third);
    stage2(cursor.second);
    stage3(cursor.second);
  }
};

// Depth of the products between two calls of advance: long enough to hide a square root and a division. A tile of
// AVX-512 has 24 vectors, so a batch of 64 hides all of them only with a depth of 2, which took 133 instead of 150 µs a
// step on a Zen 5.
constexpr int productsPerUpdate = lanes == 16 ? 2 : 4;

// Prevents the compiler from moving loads across this point, where no register is free for them.
EIGENAE_INLINE void keepOrder() { __asm__ __volatile__("" : : : "memory"); }

template <int rows>
__attribute__((noinline)) void gradientTile(const float* d, std::size_t dStride, int depth, const float* b,
                                            std::size_t offset, Pending& pending) {
  Floats sum[rows][2];
  clear(sum);
  Cursor cursor = pending.cursor;
  const float* const end = pending.end;
  for (; depth >= panel; depth -= panel, d += dStride, b += panel * panel) {
    for (int k = 0; k < panel; k += productsPerUpdate) {  // not unrolled: the code would be too long, 5 % of a step
      addProducts<rows, panel, 1>(d + k, b + k * panel, productsPerUpdate, sum);
      keepOrder();
      if (cursor.next != end) pending.advance(cursor);
      keepOrder();
    }
  }
  if (depth > 0) addProducts<rows, panel, 1>(d, b, depth, sum);
  pending.cursor = cursor;
  pending.finishTile();
  storeTile(sum, pending.gradient);
  pending.start(offset, rows * panel);
}

void updateWeights(const float* d, std::size_t dStride, int rows, int depth, const float* b, std::size_t bStride,
                   int columns, AdamArrays w, std::size_t wStride, const AdamStep& step) {
  Pending pending(w, step);
  for (std::size_t offset = 0; columns > 0; columns -= panel, b += bStride, offset += wStride) {
    forEachTile<maximalRows>(rows, [&](int first, auto height) {
      gradientTile<decltype(height)::value>(d + first * panel, dStride, depth, b, offset + first * panel, pending);
    });
  }
  pending.finish();
}

}  // namespace
}  // namespace eigenae
