// The kernels of products.h on tiles. The bits of a result depend on the depth and, in multiplyTransposed, on whether there
// are at least 32 columns; they never depend on which other rows and columns are computed in the same call.
#pragma once

#include "../products.h"
#include "tiles.h"

namespace eigenae {
namespace {

EIGENAE_INLINE int blocksIn(int count) { return (count + blockSize - 1) / blockSize; }

// A product of less depth uses vectors, and its right factor is not split.
EIGENAE_INLINE bool isSmall(int depth) { return depth < blockSize; }

std::size_t packedFloats(int depth) { return blocksIn(depth) * sizeof(Block) / sizeof(float); }

void packRightFactor(const float* b, int depth, float* packed) {
  if (isSmall(depth)) {
    for (int i = 0; i < depth * panel; i += lanes) store(packed + i, load(b + i));
    return;
  }
  Block* to = reinterpret_cast<Block*>(packed);
  for (; depth > 0; depth -= blockSize, b += blockSize * panel) split<RightFactor>(Square(b, depth, panel), *to++);
}

void multiplyTiled(const float* a, std::size_t aStride, int rows, int depth, const float* b, bool add, float* out) {
  if (isSmall(depth)) return multiply(a, aStride, rows, depth, b, add, out);
  const Block* right = reinterpret_cast<const Block*>(b);
  Block left[2];  // of this block product and of the next
  const int blocks = blocksIn(depth);
  const auto leftSquare = [&](int first, int k) {
    return Square(a + k * aStride + first * panel, rows - first, depth - k * blockSize);
  };
  split<LeftFactor>(leftSquare(0, 0), left[0]);
  int step = 0;
  for (int first = 0; first < rows; first += blockSize) {
    clearSums();
    for (int k = 0; k < blocks; ++k, ++step) {
      const bool last = k + 1 == blocks, more = !last || first + blockSize < rows;
      const Square next = leftSquare(more && last ? first + blockSize : first, last ? 0 : k + 1);
      addBlocks(left[step % 2], right[k], [&](auto term) {
        if (more) splitSome<LeftFactor>(term, next, left[(step + 1) % 2]);
      });
    }
    if (!add && rows - first >= blockSize) {
      storeSums(out + first * panel);
    } else {
      alignas(64) float sums[blockSize * panel];
      storeSums(sums);
      const int some = rows - first < blockSize ? rows - first : blockSize;
      float* to = out + first * panel;
      for (int i = 0; i < some * panel; i += lanes) store(to + i, add ? load(to + i) + load(sums + i) : load(sums + i));
    }
  }
}

constexpr int maximalDepthBlocks = 4;  // blocks along the depth that multiplyTransposedBlocks takes

// The transposed sums of one panel of a in multiplyTransposed: [columns of b][halves of the panel], four tiles.
struct TransposedSums {
  Floats rows[blockSize][2];
};

// Transposes one of the four tiles and stores it in out, which has `rows` rows.
template <int tile>
EIGENAE_INLINE void storeTransposed(const TransposedSums& turned, int rows, bool add, float* out) {
  constexpr int half = tile % 2, column = tile / 2 * tileSize, first = half * tileSize;
  Floats sums[tileSize];
  EIGENAE_UNROLL
  for (int i = 0; i < tileSize; ++i) sums[i] = turned.rows[column + i][half];
  transposeTile(sums);
  for (int i = 0; i < tileSize && first + i < rows; ++i) {
    float* to = out + (first + i) * panel + column;
    store(to, add ? load(to) + sums[i] : sums[i]);
  }
}

// Computes out (+)= aᵀ · b as the transpose of bᵀ · a, for a depth of at most maximalDepthBlocks blocks. This way only the
// smaller factor b is transposed, and only once.
void multiplyTransposedBlocks(const float* a, std::size_t aStride, int columns, int depth, const float* b, bool add,
                              float* out) {
  Block left[maximalDepthBlocks], right[2];
  TransposedSums turned;
  const int blocks = blocksIn(depth), panels = blocksIn(columns);
  const auto leftSquare = [&](int k) { return Square(b + k * blockSize * panel, depth - k * blockSize, panel); };
  const auto rightSquare = [&](int p, int k) {
    return Square(a + p * aStride + k * blockSize * panel, depth - k * blockSize, panel);
  };
  const auto put = [&](int p, auto tile) {
    storeTransposed<decltype(tile)::value>(turned, columns - p * panel, add, out + p * panel * panel);
  };
  {
    const Square square = leftSquare(0);
    splitTransposed<0>(square, left[0]);
    splitTransposed<1>(square, left[0]);
  }
  split<RightFactor>(rightSquare(0, 0), right[0]);
  int step = 0;
  for (int p = 0; p < panels; ++p) {
    clearSums();
    for (int k = 0; k < blocks; ++k, ++step) {
      const bool last = k + 1 == blocks, more = !last || p + 1 < panels;
      const Square nextRight = rightSquare(more && last ? p + 1 : p, last ? 0 : k + 1);
      const bool splitsLeft = p == 0 && !last;
      const Square nextLeft = leftSquare(last ? 0 : k + 1);
      addBlocks(left[k], right[step % 2], [&](auto term) {
        constexpr int number = decltype(term)::value;
        if constexpr (number < 4) {
          if (p > 0 && k == 0) put(p - 1, term);
        }
        if (more) splitSome<RightFactor>(term, nextRight, right[(step + 1) % 2]);
        if (number % 3 == 1 && splitsLeft) splitTransposed<number / 3>(nextLeft, left[k + 1]);
      });
    }
    storeSums(reinterpret_cast<float*>(&turned));
  }
  put(panels - 1, Term<0>());
  put(panels - 1, Term<1>());
  put(panels - 1, Term<2>());
  put(panels - 1, Term<3>());
}

void multiplyTransposedTiled(const float* a, std::size_t aStride, int columns, int depth, const float* b, float* out) {
  if (columns < blockSize || isSmall(depth)) return multiplyTransposed(a, aStride, columns, depth, b, out);
  constexpr int most = maximalDepthBlocks * blockSize;
  for (int begin = 0; begin < depth; begin += most) {
    multiplyTransposedBlocks(a + begin * panel, aStride, columns, depth - begin < most ? depth - begin : most,
                             b + begin * panel, begin > 0, out);
  }
}

}  // namespace
}  // namespace eigenae
