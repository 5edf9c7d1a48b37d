// Finds the points of a panel that lie near a query.
#pragma once

#include "intrinsics.h"

namespace eigenae {
namespace {

// Compares TILE queries at once with the panel's two vectors of points. Their sums are independent, which hides the
// latency of an addition.
template <int TILE>
EIGENAE_INLINE void findNearTile(const float* points, int depth, const float* queries, const float* bounds,
                                 std::uint32_t* near) {
  Floats first[TILE] = {}, second[TILE] = {};
  for (int j = 0; j < depth; ++j) {
    const Floats left = load(points + j * panel), right = load(points + j * panel + lanes);
    EIGENAE_UNROLL for (int q = 0; q < TILE; ++q) {
      const Floats coordinate = broadcast(queries[static_cast<std::size_t>(q) * depth + j]);
      const Floats awayLeft = left - coordinate, awayRight = right - coordinate;
      first[q] += awayLeft * awayLeft;
      second[q] += awayRight * awayRight;
    }
  }
  EIGENAE_UNROLL for (int q = 0; q < TILE; ++q) {
    const Floats bound = broadcast(bounds[q]);
    near[q] = lanesNotGreater(first[q], bound) | lanesNotGreater(second[q], bound) << lanes;
  }
}

void findNear(const float* points, int depth, const float* queries, int count, const float* bounds,
              std::uint32_t* near) {
  constexpr int tile = 4;
  int q = 0;
  for (; q + tile <= count; q += tile) {
    findNearTile<tile>(points, depth, queries + static_cast<std::size_t>(q) * depth, bounds + q, near + q);
  }
  for (; q < count; ++q) {
    findNearTile<1>(points, depth, queries + static_cast<std::size_t>(q) * depth, bounds + q, near + q);
  }
}

}  // namespace
}  // namespace eigenae
