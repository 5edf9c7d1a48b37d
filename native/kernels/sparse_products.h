// Products whose left factor is sparse: the output of a ReLU, or the gradient behind one. Each nonzero element takes a
// broadcast, and a load and a product for every vector of the other factor, whereas a tile of products.h shares its loads
// among many rows. On a Zen 4 the loads are the limit: they take 1.4 to 1.7 times as long as the products.
#pragma once

#include "products.h"
#include "sparse_lists.h"
#include "transpose.h"

namespace eigenae {
namespace {

// Number of panels of the right factor that are multiplied at once: a chunk of them must fit in the nearest cache and
// their sums in the registers.
constexpr int maximalPanels = lanes == 16 ? 3 : 4;

template <int panels>
EIGENAE_INLINE void addRow(const SparseRow& row, const float* b, std::size_t bStride, Floats (&sum)[panels][2]) {
  for (int i = 0; i < row.count; ++i) {
    const Floats factor = broadcast(row.values[i]);
    const float* from = b + row.offsets[i];
    EIGENAE_UNROLL
    for (int p = 0; p < panels; ++p) {
      addProduct(factor, load(from + p * bStride), sum[p][0]);
      addProduct(factor, load(from + p * bStride + lanes), sum[p][1]);
    }
  }
}

// Loads one row of `panels` panels that are `stride` apart.
template <int panels>
EIGENAE_INLINE void loadRow(const float* from, std::size_t stride, Floats (&sum)[panels][2]) {
  EIGENAE_UNROLL
  for (int p = 0; p < panels; ++p) {
    sum[p][0] = load(from + p * stride);
    sum[p][1] = load(from + p * stride + lanes);
  }
}

template <int panels>
EIGENAE_INLINE void storeRow(const Floats (&sum)[panels][2], float* to, std::size_t stride) {
  EIGENAE_UNROLL
  for (int p = 0; p < panels; ++p) {
    store(to + p * stride, sum[p][0]);
    store(to + p * stride + lanes, sum[p][1]);
  }
}

template <int panels>
__attribute__((noinline)) void multiplySparsePanels(const SparseMatrix& a, const float* b, std::size_t bStride,
                                                    float* out, std::size_t outStride) {
  std::size_t index = 0;
  for (int begin = 0; begin < a.depth; begin += chunk, b += chunk * panel) {
    for (int r = 0; r < a.rows; ++r) {
      Floats sum[panels][2];
      clear(sum);
      if (begin > 0) loadRow(out + r * panel, outStride, sum);
      addRow(SparseRow(a, index++), b, bStride, sum);
      storeRow(sum, out + r * panel, outStride);
    }
  }
}

void multiplySparse(const SparseMatrix& a, const float* b, std::size_t bStride, int panels, float* out,
                    std::size_t outStride) {
  forEachTile<maximalPanels>(panels, [&](int first, auto count) {
    multiplySparsePanels<decltype(count)::value>(a, b + first * bStride, bStride, out + first * outStride, outStride);
  });
}

// Returns the sum of each of the four vectors. The order of the additions is the same for all four.
EIGENAE_INLINE Quad horizontalSums(const Floats (&x)[4]) {
  Quad quads[4];
  EIGENAE_UNROLL
  for (int i = 0; i < 4; ++i) quads[i] = foldToQuad(x[i]);
  transposeQuads(quads);
  return (quads[0] + quads[1]) + (quads[2] + quads[3]);
}

// sums = x · wᵀ for one row x of `panels` panels and 4 · fours rows of w, which are at `offsets`. If `count` is smaller
// than that (it is at least 1), the last row is repeated.
template <int fours>
EIGENAE_INLINE void multiplyRows(const float* x, std::size_t xStride, const float* w, std::size_t wStride, int panels,
                                 const std::uint32_t* offsets, int count, Quad (&sums)[fours]) {
  const float* rows[fours][4];
  Floats sum[fours][4] = {};
  EIGENAE_UNROLL
  for (int i = 0; i < 4 * fours; ++i) rows[i / 4][i % 4] = w + offsets[i < count ? i : count - 1];
  for (int p = 0; p < panels; ++p, x += xStride) {
    const std::size_t at = p * wStride;
    const Floats x0 = load(x), x1 = load(x + lanes);
    EIGENAE_UNROLL
    for (int i = 0; i < 4 * fours; ++i) {
      addProduct(x0, load(rows[i / 4][i % 4] + at), sum[i / 4][i % 4]);
    }
    EIGENAE_UNROLL
    for (int i = 0; i < 4 * fours; ++i) {
      addProduct(x1, load(rows[i / 4][i % 4] + at + lanes), sum[i / 4][i % 4]);
    }
  }
  EIGENAE_UNROLL
  for (int i = 0; i < fours; ++i) sums[i] = horizontalSums(sum[i]);
}

// Stores the first min(count, 4) sums, or adds them to out.
EIGENAE_INLINE void storeQuad(Quad sums, int count, bool add, float* out) {
  if (count >= 4) {
    Quad before{};
    if (add) __builtin_memcpy(&before, out, sizeof(before));
    if (add) sums += before;
    __builtin_memcpy(out, &sums, sizeof(sums));
    return;
  }
  for (int i = 0; i < count; ++i) out[i] = add ? out[i] + sums[i] : sums[i];
}

void multiplySampled(const SparseMatrix& a, const float* x, std::size_t xStride, const float* w, std::size_t wStride,
                         int panels, bool add, float* out) {
  std::size_t index = 0;
  for (int begin = 0; begin < a.depth; begin += chunk, w += chunk * panel) {
    for (int r = 0; r < a.rows; ++r) {
      const SparseRow row(a, index++);
      const float* from = x + r * panel;
      int i = 0;
      for (; row.count - i > 4; i += 8) {
        Quad sums[2];
        multiplyRows<2>(from, xStride, w, wStride, panels, row.offsets + i, row.count - i, sums);
        storeQuad(sums[0], 4, add, out + i);
        storeQuad(sums[1], row.count - i - 4, add, out + i + 4);
      }
      if (i < row.count) {
        Quad sums[1];
        multiplyRows<1>(from, xStride, w, wStride, panels, row.offsets + i, row.count - i, sums);
        storeQuad(sums[0], row.count - i, add, out + i);
      }
      out += row.count;
    }
  }
}

void scatterPartialSums(const SparseMatrix& a, const PartialSums& partialSums, int firstRow, float* out) {
  alignas(64) float sums[chunk];
  const int rows = a.rows - firstRow < panel ? a.rows - firstRow : panel;
  for (int i = 0; i < a.depth * panel; i += lanes) store(out + i, Floats{});
  for (int begin = 0; begin < a.depth; begin += chunk, out += chunk * panel) {
    for (int r = 0; r < rows; ++r) {
      const SparseRow row(a, static_cast<std::size_t>(begin / chunk) * a.rows + firstRow + r);
      const std::size_t first = row.offsets - a.offsets;
      for (int i = 0; i < row.count; i += lanes) {
        store(sums + i, total(partialSums, [at = first + i](const float* sum) { return loadUnaligned(sum + at); }));
      }
      for (int i = 0; i < row.count; ++i) out[row.offsets[i] + r] = sums[i];
    }
  }
}

}  // namespace
}  // namespace eigenae
