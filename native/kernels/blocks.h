// Factors of products for tiles, see tiles.h. A float is exactly the sum of three bfloat16 numbers of eight bits each,
// unless it is next to 0 or to infinity; of the nine products of the parts of two floats six matter at the precision of a
// float. (Henry, Tang, Heinecke: Leveraging the bfloat16 Artificial Intelligence Datatype For Higher-Precision
// Computations, 2019, arXiv:1904.06376.)
#pragma once

#include "intrinsics.h"
#include "transpose.h"

namespace eigenae {
namespace {

constexpr int tileSize = 16;   // rows of a tile, and numbers in a row of sums
constexpr int blockSize = 32;  // rows, columns and depth of a step
constexpr int partCount = 3;
static_assert(panel == blockSize && lanes == tileSize, "a panel is as wide as a block");

// 32 × 32 numbers of a factor as the tiles want them: of each part two tiles, of a left factor [16 rows of the sums][16
// pairs], of a right one [16 pairs][16 columns], the two of a pair being sixteen apart along the depth.
struct Block {
  alignas(64) Words parts[partCount][2][tileSize];
};

// x and y in parts, in whose words x has the lower half and y the upper one. The first part is rounded: so the others are
// half as large, and what is left out of a product is at most 2⁻²³ of it and as often too much as too little.
EIGENAE_INLINE void cutUp(Floats x, Floats y, Block& to, int tile, int row) {
  constexpr std::uint32_t upperHalf = 0xFFFF0000u, half = 0x8000u;
  EIGENAE_UNROLL
  for (int part = 0; part < partCount; ++part) {
    const Words wordsX = part == 0 ? (Words)x + half : (Words)x, wordsY = part == 0 ? (Words)y + half : (Words)y;
    const Words upperX = wordsX & upperHalf, upperY = wordsY & upperHalf;
    to.parts[part][tile][row] = (wordsX >> 16) | upperY;
    x -= (Floats)upperX;
    y -= (Floats)upperY;
  }
}

// 32 × 32 numbers in rows of a panel; what is missing of them is taken for zeros, in a copy.
class Square {
 public:
  EIGENAE_INLINE Square(const float* from, int rows, int columns) : from_(from) {
    if (rows < blockSize || columns < blockSize) copy(rows, columns);
  }
  Square(const Square&) = delete;
  Square& operator=(const Square&) = delete;

  EIGENAE_INLINE Floats at(int row, int half) const { return load(from_ + row * panel + half * lanes); }

 private:
  __attribute__((noinline)) void copy(int rows, int columns) {
    for (int r = 0; r < blockSize; ++r) {
      for (int half = 0; half < 2; ++half) {
        const int some = r < rows ? columns - half * lanes : 0;
        const __mmask16 mask = some >= lanes ? 0xFFFF : some <= 0 ? 0 : (1u << some) - 1;
        store(copy_ + r * panel + half * lanes, _mm512_maskz_load_ps(mask, from_ + r * panel + half * lanes));
      }
    }
    from_ = copy_;
  }

  const float* from_;
  alignas(64) float copy_[blockSize * panel];
};

// A left factor's rows are rows of the sums, its columns the depth; a right factor's rows are the depth.
struct LeftFactor {
  static EIGENAE_INLINE void cut(const Square& square, int i, Block& to) {
    cutUp(square.at(i, 0), square.at(i, 1), to, i / tileSize, i % tileSize);
  }
};

struct RightFactor {
  static EIGENAE_INLINE void cut(const Square& square, int i, Block& to) {
    const int tile = i / tileSize, row = i % tileSize;
    cutUp(square.at(row, tile), square.at(row + tileSize, tile), to, tile, row);
  }
};

template <typename Factor, int begin = 0, int end = blockSize>
EIGENAE_INLINE void cut(const Square& square, Block& to) {
  EIGENAE_UNROLL
  for (int i = begin; i < end; ++i) Factor::cut(square, i, to);
}

// The left factor that is the square's transpose: a tile of its rows.
template <int tile>
EIGENAE_INLINE void cutTransposed(const Square& square, Block& to) {
  Floats halves[2][tileSize];
  EIGENAE_UNROLL
  for (int half = 0; half < 2; ++half) {
    EIGENAE_UNROLL
    for (int i = 0; i < tileSize; ++i) halves[half][i] = square.at(half * tileSize + i, tile);
    transposeTile(halves[half]);
  }
  EIGENAE_UNROLL
  for (int i = 0; i < tileSize; ++i) cutUp(halves[0][i], halves[1][i], to, tile, i);
}

}  // namespace
}  // namespace eigenae
