// Weight gradients whose left factor is sparse, with the Adam update after each row. Interleaving the stages of an
// update with the products of the next row, as gradient.h does, was no faster on a Zen 4, and neither was a reciprocal
// by Newton's method instead of the division.
#pragma once

#include "adam.h"
#include "sparse_products.h"

namespace eigenae {
namespace {

// Rows whose unfinished sums are kept in memory between two chunks of the depth.
constexpr int rowsAtOnce = 128;

template <int panels>
__attribute__((noinline)) void updateSparsePanels(const SparseMatrix& a, const float* b, std::size_t bStride,
                                                  AdamArrays w, std::size_t wStride, const AdamStep& step) {
  alignas(64) float unfinished[panels * rowsAtOnce * panel];
  constexpr std::size_t stride = rowsAtOnce * panel;
  const AdamVectors vectors(step);
  for (int first = 0; first < a.rows; first += rowsAtOnce) {
    const int end = a.rows - first < rowsAtOnce ? a.rows : first + rowsAtOnce;
    for (int begin = 0; begin < a.depth; begin += chunk) {
      for (int r = first; r < end; ++r) {
        Floats sum[panels][2];
        clear(sum);
        if (begin > 0) loadRow(unfinished + (r - first) * panel, stride, sum);
        addRow(SparseRow(a, static_cast<std::size_t>(begin / chunk) * a.rows + r), b + begin * panel, bStride, sum);
        if (begin + chunk < a.depth) {
          storeRow(sum, unfinished + (r - first) * panel, stride);
          continue;
        }
        EIGENAE_UNROLL
        for (int i = 0; i < 2 * panels; ++i) {
          const std::size_t at = i / 2 * wStride + r * panel + i % 2 * lanes;
          adam(sum[i / 2][i % 2], w.parameters + at, w.firstMoments + at, w.secondMoments + at, vectors);
        }
      }
    }
  }
}

void updateWeightsSparse(const SparseMatrix& a, const float* b, std::size_t bStride, int panels, AdamArrays w,
                         std::size_t wStride, const AdamStep& step) {
  forEachTile<maximalPanels>(panels, [&](int first, auto count) {
    const std::size_t at = first * wStride;
    updateSparsePanels<decltype(count)::value>(
        a, b + first * bStride, bStride, {w.parameters + at, w.firstMoments + at, w.secondMoments + at}, wStride, step);
  });
}

}  // namespace
}  // namespace eigenae
