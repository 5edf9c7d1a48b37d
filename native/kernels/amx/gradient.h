// The kernel of ../gradient.h on tiles.
#pragma once

#include "../gradient.h"
#include "products.h"

namespace eigenae {
namespace {

// An Adam update of one vector with the reciprocal by Newton's method, exact to about one ulp. While the tiles compute,
// the vector units are the limit, and a division occupies them for longer.
EIGENAE_INLINE void adamByReciprocal(const float* gradient, float* parameters, float* firstMoments,
                                     float* secondMoments, const AdamVectors& step) {
  updateMoments(load(gradient), firstMoments, secondMoments, step);
  const Floats divisor = denominator(secondMoments, step);
  const Floats reciprocal = _mm512_maskz_rcp14_ps(-1, divisor);
  const Floats ratio = (step.stepSize * loadUnaligned(firstMoments)) * reciprocal;
  storeUnaligned(parameters, loadUnaligned(parameters) - (ratio * (1.0f - divisor * reciprocal) + ratio));
}

// The pending updates of a block whose gradient is known. They run while the tiles compute the next block's.
struct PendingRows {
  alignas(64) float gradients[2][blockSize * panel];  // of the pending block and of the next one
  const AdamVectors step;
  const AdamArrays w;
  int coming = 0;         // index in `gradients` of the next block
  int next = 0, end = 0;  // range of the pending gradients
  std::size_t offset = 0;

  PendingRows(const AdamArrays& arrays, const AdamStep& adamStep) : step(adamStep), w(arrays) {}

  EIGENAE_INLINE void runRow() {
    EIGENAE_UNROLL
    for (int i = next; i < next + panel; i += lanes) {
      adamByReciprocal(gradients[1 - coming] + i, w.parameters + offset + i, w.firstMoments + offset + i,
                       w.secondMoments + offset + i, step);
    }
    next += panel;
  }
  EIGENAE_INLINE void runRows(int rows) {
    for (int i = 0; i < rows && next < end; ++i) runRow();
  }
  EIGENAE_INLINE void runAll() {
    while (next < end) runRow();
  }

  // Reads the tiles' sums as the gradient of `rows` rows at `newOffset` of w.
  EIGENAE_INLINE void start(std::size_t newOffset, int rows) {
    runAll();
    storeSums(gradients[coming]);
    coming = 1 - coming;
    next = 0;
    end = (rows < blockSize ? rows : blockSize) * panel;
    offset = newOffset;
  }
};

constexpr int maximalKeptBlocks = 8;  // blocks along the depth

// The blocks of d are split once and kept for all panels of columns, if there are at most maximalKeptBlocks along the
// depth. One more block is split ahead for the next block product, so `left` is a ring buffer. For example, a stripe of
// three blocks in a ring of four:
//
//   stripe 0   [0 1 2 .]   begins at 0; during block 2 of the last panel, the next stripe's block 0 is split into the
//   free
//                          element
//   stripe 1   [1 2 . 0]   begins at 3
//
void updateWeightsTiled(const float* d, std::size_t dStride, int rows, int depth, const float* b, std::size_t bStride,
                        int columns, AdamArrays w, std::size_t wStride, const AdamStep& step) {
  if (isSmall(depth)) return updateWeights(d, dStride, rows, depth, b, bStride, columns, w, wStride, step);
  PendingRows pending(w, step);
  Block left[maximalKeptBlocks + 1];
  const int blocks = blocksIn(depth), panels = blocksIn(columns), stripes = blocksIn(rows);
  const bool kept = blocks <= maximalKeptBlocks;
  const int ringSize = kept ? blocks + 1 : 2;
  const int rowsPerTerm = (blockSize + terms * blocks - 1) / (terms * blocks);
  const auto leftSquare = [&](int stripe, int k) {
    return Square(d + k * dStride + stripe * blockSize * panel, rows - stripe * blockSize, depth - k * blockSize);
  };
  int ringBegin = 0;  // index in `left` of the stripe's first block
  split<LeftFactor>(leftSquare(0, 0), left[0]);
  for (int stripe = 0; stripe < stripes; ++stripe) {
    for (int p = 0; p < panels; ++p) {
      const Block* right = reinterpret_cast<const Block*>(b + p * bStride);
      clearSums();
      for (int k = 0; k < blocks; ++k) {
        const bool lastBlock = k + 1 == blocks, lastOfStripe = lastBlock && p + 1 == panels;
        const bool splits = lastOfStripe ? stripe + 1 < stripes : !kept || (p == 0 && !lastBlock);
        const int nextBlock = lastBlock ? 0 : k + 1, nextStripe = splits && lastOfStripe ? stripe + 1 : stripe;
        const Square next = leftSquare(nextStripe, nextBlock);
        addBlocks(left[(ringBegin + k) % ringSize], right[k], [&](auto term) {
          pending.runRows(rowsPerTerm);
          if (splits) splitSome<LeftFactor>(term, next, left[(ringBegin + k + 1) % ringSize]);
        });
      }
      if (!kept) ringBegin = (ringBegin + blocks) % ringSize;
      pending.start(p * wStride + stripe * blockSize * panel, rows - stripe * blockSize);
    }
    if (kept) ringBegin = (ringBegin + blocks) % ringSize;
  }
  pending.runAll();
}

}  // namespace
}  // namespace eigenae
