// Factors of products in the format of AMX tiles, see tiles.h. A float is exactly the sum of three bfloat16 numbers of
// eight significant bits each, unless it is close to 0 or to infinity. Of the nine products of the components of two
// floats, six matter at the precision of a float. (Henry, Tang, Heinecke: Leveraging the bfloat16 Artificial
// Intelligence Datatype For Higher-Precision Computations, 2019, arXiv:1904.06376.)
#pragma once

#include "../intrinsics.h"
#include "../transpose.h"

namespace eigenae {
namespace {

constexpr int tileSize = 16;   // rows of a tile, and floats in a row of sums
constexpr int blockSize = 32;  // rows, columns and depth of one block product
constexpr int componentCount = 3;
static_assert(panel == blockSize && lanes == tileSize, "a panel is as wide as a block");

// 32 × 32 elements of a factor in the format of the tiles. Each component takes two tiles: [16 rows][16 pairs] of a
// left factor, [16 pairs][16 columns] of a right factor. The two elements of a pair are sixteen apart along the depth.
struct Block {
  alignas(64) Words components[componentCount][2][tileSize];
};

// Splits x and y into bfloat16 components and stores them as pairs, with x in the lower halves of the words. The first
// component is rounded to nearest, which halves the others: what a product neglects is then at most 2⁻²³ of it and has
// either sign equally often.
EIGENAE_INLINE void splitBf16(Floats x, Floats y, Block& to, int tile, int row) {
  constexpr std::uint32_t upperHalf = 0xFFFF0000u, half = 0x8000u;
  EIGENAE_UNROLL
  for (int c = 0; c < componentCount; ++c) {
    const Words wordsX = c == 0 ? (Words)x + half : (Words)x, wordsY = c == 0 ? (Words)y + half : (Words)y;
    const Words upperX = wordsX & upperHalf, upperY = wordsY & upperHalf;
    to.components[c][tile][row] = (wordsX >> 16) | upperY;
    x -= (Floats)upperX;
    y -= (Floats)upperY;
  }
}

// 32 × 32 elements in the rows of a panel. If the matrix ends within them, a copy is padded with zeros.
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

// Splits row i of a square. A left factor's rows are rows of the result and its columns the depth; a right factor's
// rows are the depth.
struct LeftFactor {
  static EIGENAE_INLINE void split(const Square& square, int i, Block& to) {
    splitBf16(square.at(i, 0), square.at(i, 1), to, i / tileSize, i % tileSize);
  }
};

struct RightFactor {
  static EIGENAE_INLINE void split(const Square& square, int i, Block& to) {
    const int tile = i / tileSize, row = i % tileSize;
    splitBf16(square.at(row, tile), square.at(row + tileSize, tile), to, tile, row);
  }
};

template <typename Factor, int begin = 0, int end = blockSize>
EIGENAE_INLINE void split(const Square& square, Block& to) {
  EIGENAE_UNROLL
  for (int i = begin; i < end; ++i) Factor::split(square, i, to);
}

// Splits one tile of the left factor that is the square's transpose.
template <int tile>
EIGENAE_INLINE void splitTransposed(const Square& square, Block& to) {
  Floats halves[2][tileSize];
  EIGENAE_UNROLL
  for (int half = 0; half < 2; ++half) {
    EIGENAE_UNROLL
    for (int i = 0; i < tileSize; ++i) halves[half][i] = square.at(half * tileSize + i, tile);
    transposeTile(halves[half]);
  }
  EIGENAE_UNROLL
  for (int i = 0; i < tileSize; ++i) splitBf16(halves[0][i], halves[1][i], to, tile, i);
}

}  // namespace
}  // namespace eigenae
