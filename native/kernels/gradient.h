// Weight gradients with Adam behind them. Adam is bound by square root and division, products by the multipliers: a
// tile's update waits in memory and runs, vector by vector, between the products of the next tile.
#pragma once

#include "adam.h"
#include "products.h"

namespace eigenae {
namespace {

// Where the updates stand: the next gradient to be used, and the places of the vectors at the three stages.
struct Cursor {
  const float* next;
  std::size_t first, second, third;
};

// The updates that wait, of a tile whose gradient is known. One advance does a stage each of three neighbouring vectors:
// the stages of one vector in a row would take longer than the processor looks ahead.
//
//   advance      …  n      n+1    n+2
//   vector i        3
//   vector i+1      2      3               3 comes first, and reads the root that 2 has left in the advance before
//   vector i+2      1      2      3
//   vector i+3             1      2        of the next tile, where this one has no more
//
struct Pending {
  alignas(64) float gradient[maximalRows * panel];
  alignas(64) float root[lanes];  // the denominator of the vector whose last stage is next
  const AdamVectors step;
  const Trained w;
  const float* end = gradient;  // of the gradients that wait
  Cursor cursor{gradient, 0, 0, 0};
  bool started = false;

  Pending(const Trained& trained, const AdamStep& adamStep) : step(adamStep), w(trained) {}

  EIGENAE_INLINE void stage1(const float* from, std::size_t at) {
    moveMoments(load(from), w.firstMoments + at, w.secondMoments + at, step);
  }
  EIGENAE_INLINE void stage2(std::size_t at) { store(root, denominator(w.secondMoments + at, step)); }
  EIGENAE_INLINE void stage3(std::size_t at) {
    moveParameters(w.parameters + at, w.firstMoments + at, load(root), step);
  }

  EIGENAE_INLINE void advance(Cursor& at) {
    stage3(at.third);
    stage2(at.second);
    stage1(at.next, at.first);
    at = {at.next + lanes, at.first + lanes, at.first, at.second};
  }

  // Call when the gradient of the tile at `place` has been written and none waits.
  void start(std::size_t place, int size) {
    end = gradient + size;
    cursor.next = gradient;
    cursor.first = place;
    if (started) return;
    started = true;
    stage1(gradient, place);
    stage2(place);
    stage1(gradient + lanes, place + lanes);
    cursor = {gradient + 2 * lanes, place + 2 * lanes, place + lanes, place};
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

// The depth between two steps: a square root and a division fit in behind. A tile of AVX-512 has 24 vectors, and in a
// batch of 64 there is room for all of them only so: 133 µs a step on a Zen 5, of 150.
constexpr int productsPerUpdate = lanes == 16 ? 2 : 4;

// Keeps the compiler from moving loads across: the registers are all taken.
EIGENAE_INLINE void keepOrder() { __asm__ __volatile__("" : : : "memory"); }

template <int rows>
__attribute__((noinline)) void gradientTile(const float* d, std::size_t dStride, int depth, const float* b,
                                            std::size_t place, Pending& pending) {
  Floats sum[rows][2];
  clear(sum);
  Cursor cursor = pending.cursor;
  const float* const end = pending.end;
  for (; depth >= panel; depth -= panel, d += dStride, b += panel * panel) {
    for (int k = 0; k < panel; k += productsPerUpdate) {  // unrolled, the code of two heights is too long: 5 % of a step
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
  pending.start(place, rows * panel);
}

void trainWeights(const float* d, std::size_t dStride, int rows, int depth, const float* b, std::size_t bStride,
                  int columns, Trained w, std::size_t wStride, const AdamStep& step) {
  Pending pending(w, step);
  for (std::size_t place = 0; columns > 0; columns -= panel, b += bStride, place += wStride) {
    forParts<maximalRows>(rows, [&](int first, auto height) {
      gradientTile<decltype(height)::value>(d + first * panel, dStride, depth, b, place + first * panel, pending);
    });
  }
  pending.finish();
}

}  // namespace
}  // namespace eigenae
