// Weight gradients by lists, with Adam behind each row of them. Updates as in gradient.h, in stages between the products
// of the next row, were no faster on a Zen 4, nor were reciprocals by Newton's method.
#pragma once

#include "adam.h"
#include "sparse_products.h"

namespace eigenae {
namespace {

// Rows whose sums wait between two chunks of the depth.
constexpr int waitingRows = 128;

template <int panels>
__attribute__((noinline)) void trainSparsePanels(const SparseMatrix& a, const float* b, std::size_t bStride, Trained w,
                                                 std::size_t wStride, const AdamStep& step) {
  alignas(64) float waiting[panels * waitingRows * panel];
  constexpr std::size_t stride = waitingRows * panel;
  const AdamVectors vectors(step);
  for (int first = 0; first < a.rows; first += waitingRows) {
    const int end = a.rows - first < waitingRows ? a.rows : first + waitingRows;
    for (int begin = 0; begin < a.depth; begin += chunk) {
      for (int r = first; r < end; ++r) {
        Floats sum[panels][2];
        clear(sum);
        if (begin > 0) loadRow(waiting + (r - first) * panel, stride, sum);
        addRow(SparseRow(a, static_cast<std::size_t>(begin / chunk) * a.rows + r), b + begin * panel, bStride, sum);
        if (begin + chunk < a.depth) {
          storeRow(sum, waiting + (r - first) * panel, stride);
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

void trainWeightsSparse(const SparseMatrix& a, const float* b, std::size_t bStride, int panels, Trained w,
                        std::size_t wStride, const AdamStep& step) {
  forParts<maximalPanels>(panels, [&](int first, auto count) {
    const std::size_t at = first * wStride;
    trainSparsePanels<decltype(count)::value>(a, b + first * bStride, bStride,
                                             {w.parameters + at, w.firstMoments + at, w.secondMoments + at}, wStride,
                                             step);
  });
}

}  // namespace
}  // namespace eigenae
