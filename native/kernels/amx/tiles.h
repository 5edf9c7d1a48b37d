// Products on the tiles of Intel's AMX, which multiply bfloat16 numbers sixteen times as fast as vectors multiply floats. A
// block product multiplies 32 × 32 by 32 × 32 elements of three components each and adds the result to 2 × 2 tiles of sums
// in float. While the tiles are busy, the vector units are free to split the factors of the next block product or to do
// other work.
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

// Gives this thread's eight tiles 16 rows of 64 bytes each, until releaseTiles.
void configureTiles() {
  struct alignas(64) {
    std::uint8_t palette = 1, startRow = 0, reserved[14] = {};
    std::uint16_t bytesInRow[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  } shape;
  __asm__ __volatile__("ldtilecfg %0" : : "m"(shape));
}

void releaseTiles() { __asm__ __volatile__("tilerelease" : :); }

template <int number>
struct Term {
  static constexpr int value = number;
};

// Adds left · right to the sums, the smallest products of components first. Calls meanwhile(Term<0>()) …
// meanwhile(Term<5>()) while the tiles compute each of the six products.
template <typename Meanwhile>
EIGENAE_INLINE void addBlocks(const Block& left, const Block& right, Meanwhile meanwhile) {
#define EIGENAE_LOAD_LEFT(COMPONENT)                       \
  EIGENAE_LOAD_TILE(4, left.components[COMPONENT][0], 64); \
  EIGENAE_LOAD_TILE(5, left.components[COMPONENT][1], 64)
#define EIGENAE_LOAD_RIGHT(COMPONENT)                       \
  EIGENAE_LOAD_TILE(6, right.components[COMPONENT][0], 64); \
  EIGENAE_LOAD_TILE(7, right.components[COMPONENT][1], 64)
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

// Splits the share of a block that is due at one of the terms.
template <typename Factor, typename TermOf>
EIGENAE_INLINE void splitSome(TermOf, const Square& square, Block& to) {
  split<Factor, TermOf::value * blockSize / terms, (TermOf::value + 1) * blockSize / terms>(square, to);
}

EIGENAE_INLINE void clearSums() {
  EIGENAE_CLEAR_TILE(0);
  EIGENAE_CLEAR_TILE(1);
  EIGENAE_CLEAR_TILE(2);
  EIGENAE_CLEAR_TILE(3);
}

// Stores the sums into 32 rows of a panel.
EIGENAE_INLINE void storeSums(float* to) {
  constexpr int stride = panel * sizeof(float);
  EIGENAE_STORE_TILE(0, to, stride);
  EIGENAE_STORE_TILE(1, to + lanes, stride);
  EIGENAE_STORE_TILE(2, to + tileSize * panel, stride);
  EIGENAE_STORE_TILE(3, to + tileSize * panel + lanes, stride);
}

}  // namespace
}  // namespace eigenae
