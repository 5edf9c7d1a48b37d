// Lists the nonzero elements of a matrix as a SparseMatrix.
#pragma once

#include "intrinsics.h"
#include "kernels.h"

namespace eigenae {
namespace {

constexpr int chunk = SparseMatrix::chunk;
static_assert(chunk % panel == 0, "a chunk is whole panels of columns");

#if defined(__AVX2__) && !defined(__AVX512F__)
// For each mask of eight lanes, the indices of the lanes in it, lowest first.
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

// Writes the nonzero elements among the first `valid` lanes of x to `values` and their offsets to `offsets`. `column` is the
// first lane's column within the chunk. Returns the number of elements; both arrays need room for a whole vector.
EIGENAE_INLINE int appendNonZeros(Floats x, int valid, int column, float* values, std::uint32_t* offsets) {
#if defined(__AVX512F__)
  const __mmask16 present = valid >= lanes ? 0xFFFF : static_cast<__mmask16>((1u << valid) - 1);
  const __mmask16 mask = _mm512_mask_cmp_ps_mask(present, x, Floats{}, _CMP_NEQ_UQ);
  const Words columns = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  const Words all = (columns + static_cast<std::uint32_t>(column)) * panel;
  storeUnaligned(values, _mm512_maskz_compress_ps(mask, x));
  const __m512i some = _mm512_maskz_compress_epi32(mask, (__m512i)all);
  __builtin_memcpy(offsets, &some, sizeof(some));
  return __builtin_popcount(mask);
#elif defined(__AVX2__)
  const int present = valid >= lanes ? 0xFF : (1 << valid) - 1;
  const int mask = _mm256_movemask_ps(_mm256_cmp_ps(x, Floats{}, _CMP_NEQ_UQ)) & present;
  const Words order = loadBytes(lanesOfMask.lanes[mask]);
  const Words some = (order + static_cast<std::uint32_t>(column)) * panel;
  storeUnaligned(values, _mm256_permutevar8x32_ps(x, (__m256i)order));
  __builtin_memcpy(offsets, &some, sizeof(some));
  return __builtin_popcount(static_cast<unsigned>(mask));
#else
  int count = 0;
  for (int i = 0; i < lanes && i < valid; ++i) {
    values[count] = x[i];
    offsets[count] = static_cast<std::uint32_t>((column + i) * panel);
    count += x[i] != 0;
  }
  return count;
#endif
}

std::size_t listNonZeros(const float* x, std::size_t stride, SparseMatrix& to) {
  std::uint32_t end = 0, *rowEnds = to.rowEnds;
  for (int begin = 0; begin < to.depth; begin += chunk) {
    const int some = to.depth - begin < chunk ? to.depth - begin : chunk;
    const float* from = x + begin / panel * stride;
    for (int r = 0; r < to.rows; ++r, from += panel) {
      for (int c = 0; c < some; c += lanes) {
        const Floats numbers = load(from + c / panel * stride + c % panel);
        end += appendNonZeros(numbers, some - c, c, to.values + end, to.offsets + end);
      }
      *rowEnds++ = end;
    }
  }
  return end;
}

// The elements of one row within one chunk.
struct SparseRow {
  const float* values;
  const std::uint32_t* offsets;
  int count;

  EIGENAE_INLINE SparseRow(const SparseMatrix& matrix, std::size_t index) {
    const std::uint32_t begin = index == 0 ? 0 : matrix.rowEnds[index - 1];
    values = matrix.values + begin;
    offsets = matrix.offsets + begin;
    count = static_cast<int>(matrix.rowEnds[index] - begin);
  }
};

}  // namespace
}  // namespace eigenae
