// Products whose left factor is a list of the numbers that are not 0: what a rectifier lets through, or the gradient
// behind one. Each of them takes a broadcast and, of each vector, a load and a product, where a tile of products.h has
// its loads for many rows; on a Zen 4 it is the loads that take the time, 1.4 to 1.7 times that of the products.
#pragma once

#include "adam.h"
#include "products.h"
#include "transpose.h"

namespace eigenae {
namespace {

constexpr int chunk = SparseMatrix::chunk;
static_assert(chunk % panel == 0, "a chunk is whole panels of columns");

// Panels of the right factor at once: a chunk of them should fit in the nearest cache, and their sums in the registers.
constexpr int maximalPanels = lanes == 16 ? 3 : 4;

#if defined(__AVX2__) && !defined(__AVX512F__)
// For each mask of eight lanes those that are in it, from the lowest on.
struct LanesOfMask {
  std::uint8_t lanes[256][8] = {};

  constexpr LanesOfMask() {
    for (int mask = 0; mask < 256; ++mask) {
      for (int lane = 0, count = 0; lane < 8; ++lane) {
        if ((mask >> lane & 1) != 0) lanes[mask][count++] = static_cast<std::uint8_t>(lane);
      }
    }
  }
};
constexpr LanesOfMask lanesOfMask;
#endif

// Puts the numbers of x that are not 0, and their places, at `values` and `places`, room for a whole vector in both;
// returns how many they are. Only the first `valid` lanes count.
EIGENAE_INLINE int putNonZeros(Floats x, int valid, int place, float* values, std::uint32_t* places) {
#if defined(__AVX512F__)
  const __mmask16 present = valid >= lanes ? 0xFFFF : static_cast<__mmask16>((1u << valid) - 1);
  const __mmask16 mask = _mm512_mask_cmp_ps_mask(present, x, Floats{}, _CMP_NEQ_UQ);
  const Words columns = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  const Words all = (columns + static_cast<std::uint32_t>(place)) * panel;
  storeUnaligned(values, _mm512_maskz_compress_ps(mask, x));
  const __m512i some = _mm512_maskz_compress_epi32(mask, (__m512i)all);
  __builtin_memcpy(places, &some, sizeof(some));
  return __builtin_popcount(mask);
#elif defined(__AVX2__)
  const int present = valid >= lanes ? 0xFF : (1 << valid) - 1;
  const int mask = _mm256_movemask_ps(_mm256_cmp_ps(x, Floats{}, _CMP_NEQ_UQ)) & present;
  const Words order = loadBytes(lanesOfMask.lanes[mask]);
  const Words some = (order + static_cast<std::uint32_t>(place)) * panel;
  storeUnaligned(values, _mm256_permutevar8x32_ps(x, (__m256i)order));
  __builtin_memcpy(places, &some, sizeof(some));
  return __builtin_popcount(static_cast<unsigned>(mask));
#else
  int count = 0;
  for (int i = 0; i < lanes && i < valid; ++i) {
    values[count] = x[i];
    places[count] = static_cast<std::uint32_t>((place + i) * panel);
    count += x[i] != 0;
  }
  return count;
#endif
}

std::size_t listNonZeros(const float* x, std::size_t stride, SparseMatrix& to) {
  std::uint32_t end = 0, *ends = to.ends;
  for (int begin = 0; begin < to.depth; begin += chunk) {
    const int some = to.depth - begin < chunk ? to.depth - begin : chunk;
    const float* from = x + begin / panel * stride;
    for (int r = 0; r < to.rows; ++r, from += panel) {
      for (int c = 0; c < some; c += lanes) {
        const Floats numbers = load(from + c / panel * stride + c % panel);
        end += putNonZeros(numbers, some - c, c, to.values + end, to.places + end);
      }
      *ends++ = end;
    }
  }
  return end;
}

// A row of a chunk.
struct SparseRow {
  const float* values;
  const std::uint32_t* places;
  int count;

  EIGENAE_INLINE SparseRow(const SparseMatrix& matrix, std::size_t index) {
    const std::uint32_t begin = index == 0 ? 0 : matrix.ends[index - 1];
    values = matrix.values + begin;
    places = matrix.places + begin;
    count = static_cast<int>(matrix.ends[index] - begin);
  }
};

template <int panels>
EIGENAE_INLINE void addRow(const SparseRow& row, const float* b, std::size_t bStride, Floats (&sum)[panels][2]) {
  for (int i = 0; i < row.count; ++i) {
    const Floats factor = broadcast(row.values[i]);
    const float* from = b + row.places[i];
    EIGENAE_UNROLL
    for (int p = 0; p < panels; ++p) {
      addProduct(factor, load(from + p * bStride), sum[p][0]);
      addProduct(factor, load(from + p * bStride + lanes), sum[p][1]);
    }
  }
}

// A row of so many panels, `stride` apart.
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

// Each vector's sum. Always added in the same order, whatever the place among the four.
EIGENAE_INLINE Quad sumsOfFour(const Floats (&x)[4]) {
  Quad quads[4];
  EIGENAE_UNROLL
  for (int i = 0; i < 4; ++i) quads[i] = foldToQuad(x[i]);
  transposeQuads(quads);
  return (quads[0] + quads[1]) + (quads[2] + quads[3]);
}

// Fours of numbers of a row, the last one repeated where the row ends among them.
template <int fours>
EIGENAE_INLINE void multiplyRows(const float* x, std::size_t xStride, const float* w, std::size_t wStride, int panels,
                                 const std::uint32_t* places, int count, Quad (&sums)[fours]) {
  const float* rows[fours][4];
  Floats sum[fours][4] = {};
  EIGENAE_UNROLL
  for (int i = 0; i < 4 * fours; ++i) rows[i / 4][i % 4] = w + places[i < count ? i : count - 1];
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
  for (int i = 0; i < fours; ++i) sums[i] = sumsOfFour(sum[i]);
}

EIGENAE_INLINE void putQuad(Quad sums, int count, bool add, float* out) {
  if (count >= 4) {
    Quad before{};
    if (add) __builtin_memcpy(&before, out, sizeof(before));
    if (add) sums += before;
    __builtin_memcpy(out, &sums, sizeof(sums));
    return;
  }
  for (int i = 0; i < count; ++i) out[i] = add ? out[i] + sums[i] : sums[i];
}

void multiplyWhereListed(const SparseMatrix& a, const float* x, std::size_t xStride, const float* w, std::size_t wStride,
                         int panels, bool add, float* out) {
  std::size_t index = 0;
  for (int begin = 0; begin < a.depth; begin += chunk, w += chunk * panel) {
    for (int r = 0; r < a.rows; ++r) {
      const SparseRow row(a, index++);
      const float* from = x + r * panel;
      int i = 0;
      for (; row.count - i > 4; i += 8, out += 8) {
        Quad sums[2];
        multiplyRows<2>(from, xStride, w, wStride, panels, row.places + i, row.count - i, sums);
        putQuad(sums[0], 4, add, out);
        putQuad(sums[1], row.count - i - 4, add, out + 4);
      }
      if (i < row.count) {
        Quad sums[1];
        multiplyRows<1>(from, xStride, w, wStride, panels, row.places + i, row.count - i, sums);
        putQuad(sums[0], row.count - i, add, out);
        i += 4;
        out += 4;
      }
      out -= i - row.count;
    }
  }
}

void spreadParts(const SparseMatrix& a, const Parts& parts, int firstRow, float* out) {
  alignas(64) float sums[chunk + lanes];
  const int rows = a.rows - firstRow < panel ? a.rows - firstRow : panel;
  for (int i = 0; i < a.depth * panel; i += lanes) store(out + i, Floats{});
  for (int begin = 0; begin < a.depth; begin += chunk, out += chunk * panel) {
    for (int r = 0; r < rows; ++r) {
      const SparseRow row(a, static_cast<std::size_t>(begin / chunk) * a.rows + firstRow + r);
      const std::size_t first = row.places - a.places;
      for (int i = 0; i < row.count; i += lanes) {
        store(sums + i, sumOf(parts, [at = first + i](const float* part) { return loadUnaligned(part + at); }));
      }
      for (int i = 0; i < row.count; ++i) out[row.places[i] + r] = sums[i];
    }
  }
}

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

void multiplySparse(const SparseMatrix& a, const float* b, std::size_t bStride, int panels, float* out,
                    std::size_t outStride) {
  forParts<maximalPanels>(panels, [&](int first, auto count) {
    multiplySparsePanels<decltype(count)::value>(a, b + first * bStride, bStride, out + first * outStride, outStride);
  });
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
