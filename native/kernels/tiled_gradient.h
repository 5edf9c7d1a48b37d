// The kernel of gradient.h on tiles.
#pragma once

#include "gradient.h"
#include "tiled_products.h"

namespace eigenae {
namespace {

// Adam on a vector with the reciprocal by Newton's method, to about an ulp: behind tiles it is the multipliers that have
// no time, and a division takes more of it.
EIGENAE_INLINE void adamByReciprocal(const float* gradient, float* parameters, float* firstMoments,
                                     float* secondMoments, const AdamVectors& step) {
  moveMoments(load(gradient), firstMoments, secondMoments, step);
  const Floats divisor = denominator(secondMoments, step);
  const Floats reciprocal = _mm512_maskz_rcp14_ps(-1, divisor);
  const Floats ratio = (step.rate * loadUnaligned(firstMoments)) * reciprocal;
  storeUnaligned(parameters, loadUnaligned(parameters) - (ratio * (1.0f - divisor * reciprocal) + ratio));
}

// The gradients of a block whose updates wait for the tiles of the next one to be busy.
struct Updates {
  alignas(64) float gradients[2][blockSize * panel];  // of the block that waits, and of the one to come
  const AdamVectors step;
  const Trained w;
  int coming = 0;
  int next = 0, end = 0;  // of those that wait
  std::size_t place = 0;

  Updates(const Trained& trained, const AdamStep& adamStep) : step(adamStep), w(trained) {}

  EIGENAE_INLINE void row() {
    EIGENAE_UNROLL
    for (int i = next; i < next + panel; i += lanes) {
      adamByReciprocal(gradients[1 - coming] + i, w.parameters + place + i, w.firstMoments + place + i,
                       w.secondMoments + place + i, step);
    }
    next += panel;
  }
  EIGENAE_INLINE void some(int rows) {
    for (int i = 0; i < rows && next < end; ++i) row();
  }
  EIGENAE_INLINE void all() {
    while (next < end) row();
  }

  // Takes the sums for the gradients of `rows` rows at `where`.
  EIGENAE_INLINE void take(std::size_t where, int rows) {
    all();
    storeSums(gradients[coming]);
    coming = 1 - coming;
    next = 0;
    end = (rows < blockSize ? rows : blockSize) * panel;
    place = where;
  }
};

constexpr int blocksToStay = 8;  // along the depth

// The blocks of d stay for all panels of columns, if their room is large enough for the depth. One more is cut up for the
// next step, so `left` is a ring, here of a stripe of three blocks in a room of four:
//
//   stripe 0   [0 1 2 .]   place 0; at block 2 of the last panel the next stripe's block 0 is cut up into the free room
//   stripe 1   [1 2 . 0]   place 3
//
void trainWeightsTiled(const float* d, std::size_t dStride, int rows, int depth, const float* b, std::size_t bStride,
                       int columns, Trained w, std::size_t wStride, const AdamStep& step) {
  if (isSmall(depth)) return trainWeights(d, dStride, rows, depth, b, bStride, columns, w, wStride, step);
  Updates updates(w, step);
  Block left[blocksToStay + 1];
  const int blocks = blocksIn(depth), panels = blocksIn(columns), stripes = blocksIn(rows);
  const bool stay = blocks <= blocksToStay;
  const int room = stay ? blocks + 1 : 2;
  const int rowsAtOnce = (blockSize + terms * blocks - 1) / (terms * blocks);
  const auto leftSquare = [&](int stripe, int k) {
    return Square(d + k * dStride + stripe * blockSize * panel, rows - stripe * blockSize, depth - k * blockSize);
  };
  int place = 0;  // of the stripe's first block
  cut<LeftFactor>(leftSquare(0, 0), left[0]);
  for (int stripe = 0; stripe < stripes; ++stripe) {
    for (int p = 0; p < panels; ++p) {
      const Block* right = reinterpret_cast<const Block*>(b + p * bStride);
      clearSums();
      for (int k = 0; k < blocks; ++k) {
        const bool lastBlock = k + 1 == blocks, lastOfStripe = lastBlock && p + 1 == panels;
        const bool cuts = lastOfStripe ? stripe + 1 < stripes : !stay || (p == 0 && !lastBlock);
        const int nextBlock = lastBlock ? 0 : k + 1, nextStripe = cuts && lastOfStripe ? stripe + 1 : stripe;
        const Square next = leftSquare(nextStripe, nextBlock);
        addBlocks(left[(place + k) % room], right[k], [&](auto term) {
          updates.some(rowsAtOnce);
          if (cuts) cutSome<LeftFactor>(term, next, left[(place + k + 1) % room]);
        });
      }
      if (!stay) place = (place + blocks) % room;
      updates.take(p * wStride + stripe * blockSize * panel, rows - stripe * blockSize);
    }
    if (stay) place = (place + blocks) % room;
  }
  updates.all();
}

}  // namespace
}  // namespace eigenae
