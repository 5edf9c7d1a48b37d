// The tiles of Intel's AMX, which multiply bfloat16 numbers sixteen times as fast as vectors multiply floats. A step
// multiplies 32 × 32 by 32 × 32 numbers, each in three parts, and adds them to 2 × 2 tiles of sums, in floats. While the
// tiles are at it the vectors have time: they cut up the factors of the next step, or do what else they are given.
#pragma once

#include "blocks.h"

namespace eigenae {
namespace {

#define EIGENAE_LOAD_TILE(TILE, FROM, STRIDE)                      \
  __asm__ __volatile__("tileloadd (%0,%1,1), %%tmm" #TILE          \
                       :                                           \
                       : "r"(FROM), "r"(std::int64_t{STRIDE})      \
                       : "memory")
#define EIGENAE_STORE_TILE(TILE, TO, STRIDE)                       \
  __asm__ __volatile__("tilestored %%tmm" #TILE ", (%0,%1,1)"      \
                       :                                           \
                       : "r"(TO), "r"(std::int64_t{STRIDE})        \
                       : "memory")
#define EIGENAE_CLEAR_TILE(TILE) __asm__ __volatile__("tilezero %%tmm" #TILE : :)
#define EIGENAE_ADD_PRODUCT(SUMS, LEFT, RIGHT) \
  __asm__ __volatile__("tdpbf16ps %%tmm" #RIGHT ", %%tmm" #LEFT ", %%tmm" #SUMS : :)

// Between these, this thread's tiles are of 16 rows of 64 bytes.
void openTiles() {
  struct alignas(64) {
    std::uint8_t palette = 1, startRow = 0, reserved[14] = {};
    std::uint16_t bytesInRow[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  } shape;
  __asm__ __volatile__("ldtilecfg %0" : : "m"(shape));
}

void closeTiles() { __asm__ __volatile__("tilerelease" : :); }

template <int number>
struct Term {
  static constexpr int value = number;
};

// The sums += left · right; calls meanwhile(Term<0>()) … meanwhile(Term<5>()) between the products.
template <typename Meanwhile>
EIGENAE_INLINE void addBlocks(const Block& left, const Block& right, Meanwhile meanwhile) {
#define EIGENAE_LOAD_LEFT(PART)                  \
  EIGENAE_LOAD_TILE(4, left.parts[PART][0], 64); \
  EIGENAE_LOAD_TILE(5, left.parts[PART][1], 64)
#define EIGENAE_LOAD_RIGHT(PART)                  \
  EIGENAE_LOAD_TILE(6, right.parts[PART][0], 64); \
  EIGENAE_LOAD_TILE(7, right.parts[PART][1], 64)
#define EIGENAE_ADD_PRODUCTS \
  EIGENAE_ADD_PRODUCT(0, 4, 6); \
  EIGENAE_ADD_PRODUCT(1, 4, 7); \
  EIGENAE_ADD_PRODUCT(2, 5, 6); \
  EIGENAE_ADD_PRODUCT(3, 5, 7)
  EIGENAE_LOAD_LEFT(2);
  EIGENAE_LOAD_RIGHT(0);
  EIGENAE_ADD_PRODUCTS;
  meanwhile(Term<0>());
  EIGENAE_LOAD_LEFT(1);
  EIGENAE_ADD_PRODUCTS;
  meanwhile(Term<1>());
  EIGENAE_LOAD_RIGHT(1);
  EIGENAE_ADD_PRODUCTS;
  meanwhile(Term<2>());
  EIGENAE_LOAD_LEFT(0);
  EIGENAE_ADD_PRODUCTS;
  meanwhile(Term<3>());
  EIGENAE_LOAD_RIGHT(2);
  EIGENAE_ADD_PRODUCTS;
  meanwhile(Term<4>());
  EIGENAE_LOAD_RIGHT(0);
  EIGENAE_ADD_PRODUCTS;
  meanwhile(Term<5>());
}
constexpr int terms = 6;

// The part of a block that is cut up at a term.
template <typename Factor, typename TermOf>
EIGENAE_INLINE void cutSome(TermOf, const Square& square, Block& to) {
  cut<Factor, TermOf::value * blockSize / terms, (TermOf::value + 1) * blockSize / terms>(square, to);
}

EIGENAE_INLINE void clearSums() {
  EIGENAE_CLEAR_TILE(0);
  EIGENAE_CLEAR_TILE(1);
  EIGENAE_CLEAR_TILE(2);
  EIGENAE_CLEAR_TILE(3);
}

// To [32] rows of a panel.
EIGENAE_INLINE void storeSums(float* to) {
  constexpr int stride = panel * sizeof(float);
  EIGENAE_STORE_TILE(0, to, stride);
  EIGENAE_STORE_TILE(1, to + lanes, stride);
  EIGENAE_STORE_TILE(2, to + tileSize * panel, stride);
  EIGENAE_STORE_TILE(3, to + tileSize * panel + lanes, stride);
}

}  // namespace
}  // namespace eigenae
