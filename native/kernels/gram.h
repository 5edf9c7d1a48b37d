// Products of the columns of a matrix, in double.
#pragma once

#include "columns.h"

namespace eigenae {
namespace {

// Adds row after row to a tile of 4 rows and two vectors, which stays in registers.
EIGENAE_INLINE void addGramTile(const double* rows, std::size_t stride, int count, int row, int column, double* gram) {
  Doubles sums[4][2];
  EIGENAE_UNROLL
  for (int i = 0; i < 4; ++i) {
    for (int half = 0; half < 2; ++half) {
      sums[i][half] = at(gram + (row + i) * stride + column + half * doubleLanes);
    }
  }
  for (int r = 0; r < count; ++r, rows += stride) {
    const Doubles left = at(rows + column), right = at(rows + column + doubleLanes);
    EIGENAE_UNROLL
    for (int i = 0; i < 4; ++i) {
      const Doubles value = rows[row + i] - Doubles{};
      sums[i][0] += value * left;
      sums[i][1] += value * right;
    }
  }
  EIGENAE_UNROLL
  for (int i = 0; i < 4; ++i) {
    for (int half = 0; half < 2; ++half) {
      at(gram + (row + i) * stride + column + half * doubleLanes) = sums[i][half];
    }
  }
}

void addGram(const double* rows, std::size_t stride, int count, double* gram) {
  const int width = static_cast<int>(stride);
  for (int row = 0; row < width; row += 4) {
    for (int column = 0; column <= row; column += 2 * doubleLanes) addGramTile(rows, stride, count, row, column, gram);
  }
}

}  // namespace
}  // namespace eigenae
