// A model's training for a chunk of steps in one launch: its weights stay in the shared memory of its blocks, and
// blocks exchange what they need through global memory. A step has eight barriers of the model's blocks, and two more
// for each small layer with batch norm. docs/architecture.md has a picture.
//
//   phase          divided by   computes                                     passes to the other blocks
//   ────────────   ──────────   ──────────────────────────────────────────   ─────────────────────────────────────
//   1 input        pixels       noisy input, its product with weight 0       sums over pixels [hidden][batch]
//   2 hidden       units        layer 0's output, its product with weight 1  sums over units [batch][middle]
//   3 middle       images       layers 1 … penultimate − 1                   embedding, features [batch][middle]
//   4 features     units        the penultimate layer                        its output [hidden][batch]
//   5 output       pixels       last layer, loss, gradient, update           sums over pixels [hidden][batch]
//   6 features     units        gradient and update of the penultimate layer sums over units [batch][middle]
//   7 middle       images       gradients of layers 1 … penultimate − 1      gradient [batch][middle], sums over images
//   8 hidden       units        gradient and update of layer 1, update of    gradient [hidden][batch], the small
//   layers'
//                               the small layers                             parameters
//   9 input        pixels       update of layer 0, then 1 of the next step
//
// During phases 4 to 6 a ninth warp computes the eigen losses, whose gradient phase 7 adds.
//
// Within a phase a block writes shared memory of its own and the places of the exchange that are its own. Every barrier
// says which values it orders.
#include "eigen_losses.h"
#include "inference.h"
#include "middle.h"
#include "pixels.h"
#include "state.h"
#include "units.h"

namespace eigenae {
namespace cuda {

// The barriers of a block at which the ninth warp begins and ends a step.
DEV void embeddingIsThere() { syncBlock(); }
DEV void directionIsThere() { syncBlock(); }

DEV Step stepOf(const Training& g, int index) {
  const int begin = g.firstImage + index * batchSize, left = g.imageCount - begin;
  return {index, begin, left < batchSize ? left : batchSize};
}

DEV void evaluateAllEigenLosses(const Block& b) {
  constexpr ExchangeLayout at = exchangeLayout(shape);
  const Training& g = *b.training;
  for (int index = 0; index < g.steps; ++index) {
    const Step step = stepOf(g, index);
    double* const losses = g.losses + index * (1 + g.termCount);
    embeddingIsThere();
    evaluateEigenLosses(b, step, losses);
    directionIsThere();
    // The workers have passed the barrier after phase 5. They reach the one after the next step's phase 4 only together
    // with this warp, so no block can store the losses of the step after the next one while these are read.
    if (b.rank == 0)
      writeSquaredError(b, step, b.exchange + at.losses + index % 2 * sliceCount(shape) * lossParts, losses);
  }
}

DEV void takeStep(Block& b, const Step& step, const SharedState& s) {
  constexpr ExchangeLayout at = exchangeLayout(shape);
  constexpr int weight1 = weightOffset(shape, 1), weightPenultimate = weightOffset(shape, penultimate);
  constexpr int weightLast = weightOffset(shape, layers - 1);
  const Training& g = *b.training;
  float* const exchange = b.exchange;
  float* const ownUnitSums = exchange + at.unitSums + b.rank * hiddenRows * batch;
  float* const ownMiddleSums = exchange + at.middleSums + b.rank * batch * middleWidth;
  const auto unitSum = [&](int u, int image) {
    return sumBlocks(0, exchange + at.unitSums + (b.firstUnit + u) * batch + image, hiddenRows * batch);
  };
  const auto storeUnit = [&](int u, int image, float value) {
    if (b.firstUnit + u < hidden) storeExchanged(exchange + at.units + (b.firstUnit + u) * batch + image, value);
  };

  // 1
  fillInput(b, step, s.input);
  syncFirst<workers>();  // the input is there, and the update of weight 0
  storeUnitSums(s.input, s.firstWeight, ownUnitSums);
  arrive(b);
  wait(b);  // the sums over pixels are there

  // 2
  forwardUnits<0>(b, step, s.first, unitSum, [](int, int, float) {});
  syncFirst<workers>();  // layer 0's output is there
  storeMiddleSums(s.first.output, s.secondWeight, ownMiddleSums);
  arrive(b);
  wait(b);  // the sums over units are there

  // 3
  forwardMiddle(b, step, s.middle);
  arrive(b);
  wait(b);  // the embedding and the features are there
  embeddingIsThere();

  // 4
  loadMiddle(exchange + at.features, s.middle.all);
  syncFirst<workers>();  // the features are there in shared memory
  forwardUnits<penultimate>(
      b, step, s.penultimate,
      [&](int u, int image) {
        float sum = 0;
#pragma unroll 8
        for (int k = 0; k < middleWidth; ++k)
          sum = fma(s.middle.all[image * middleRow + k], s.penultimateWeight[u * middleWidth + k], sum);
        return sum;
      },
      storeUnit);
  arrive(b);
  wait(b);  // the penultimate layer's output is there

  // 5
  for (int row = 0; row < hiddenRows; row += tileRows) {
    if (row > 0) syncFirst<workers>();  // the tile before has been read
    loadUnits(exchange + at.units, row, s.units);
    syncFirst<workers>();  // the tile is there
    computeOutput(b, step, s.lastWeight, s.outputBias, s.units, row, s.output, s.middle.scratch);
  }
  syncFirst<workers>();  // the gradient and the squared errors are there
  storeUnitSums(s.output, s.lastWeight, ownUnitSums);
  storeLosses(b, s.middle.scratch, exchange + at.losses + step.index % 2 * sliceCount(shape) * lossParts);
  arrive(b);
  for (int row = hiddenRows - tileRows; row >= 0; row -= tileRows) {
    if (row < hiddenRows - tileRows) {
      syncFirst<workers>();  // the tile before has been read
      loadUnits(exchange + at.units, row, s.units);
      syncFirst<workers>();  // the tile is there
    }
    updatePixelWeights<false>(b, step, s.output, s.units, row, weightLast, s.lastWeight);
  }
  updateOutputBias(b, step, s.output, s.outputBias);
  wait(b);  // the sums over pixels are there

  // 6
  backwardUnits<penultimate>(b, step, s.penultimate, unitSum, [](int, int, float) {});
  if constexpr (TILES > 1) loadMiddle(exchange + at.features, s.middle.all);
  syncFirst<workers>();  // the gradient is there
  storeMiddleSums(s.penultimate.gradient, s.penultimateWeight, ownMiddleSums);
  arrive(b);
  updateUnitWeights(b, step, s.penultimate.gradient, s.middle.all, s.penultimateWeight,
                    [](int unit, int k) { return weightPenultimate + unit * middleWidth + k; });
  updateUnitVectors<penultimate>(b, step, s.penultimate);
  wait(b);  // the sums over units are there
  directionIsThere();

  // 7
  const double* const direction = anyApplies(g, step) ? s.direction : nullptr;
  backwardMiddle(b, step, s.middle, direction);
  arrive(b);
  wait(b);  // the gradient of layer 1 and the sums over images are there

  // 8
  loadMiddle(exchange + at.gradients, s.middle.all);
  updateSmall(b, step, s.middle, direction);
  syncFirst<workers>();  // the gradient is there in shared memory
  backwardUnits<0>(
      b, step, s.first,
      [&](int u, int image) {
        float sum = 0;
#pragma unroll 8
        for (int k = 0; k < middleWidth; ++k)
          sum = fma(s.middle.all[image * middleRow + k], s.secondWeight[u * middleWidth + k], sum);
        return sum;
      },
      storeUnit);
  arrive(b);
  updateUnitWeights(b, step, s.first.output, s.middle.all, s.secondWeight,
                    [](int unit, int k) { return weight1 + k * hidden + unit; });
  updateUnitVectors<0>(b, step, s.first);
  wait(b);  // the gradient of layer 0 and the small layers' parameters are there

  // 9
  for (int row = 0; row < hiddenRows; row += tileRows) {
    if (row > 0) syncFirst<workers>();  // the tile before has been read
    loadUnits(exchange + at.units, row, s.units);
    if (row == 0) loadSmall(exchange + at.small, s.middle.small);
    syncFirst<workers>();  // the tile is there
    updatePixelWeights<true>(b, step, s.input, s.units, row, 0, s.firstWeight);
  }
}

}  // namespace cuda
}  // namespace eigenae

KERNEL(eigenae::cuda::threads) train(const eigenae::cuda::Training* models) {
  using namespace eigenae::cuda;
  constexpr int groups = BLOCKS;
  const Training* const training = models + block() / groups;
  const int rank = block() % groups;
  Block b{training, shared(), training->exchange, 0, rank, rank * pixels, rank * units, rank * images};
  if (thread() >= workers) return evaluateAllEigenLosses(b);
  const SharedState s = sharedState(b.shared);
  loadState(b, s);
  for (int index = 0; index < training->steps; ++index) takeStep(b, stepOf(*training, index), s);
  syncFirst<workers>();  // the last update of weight 0 is complete
  storeState(b, s);
}

KERNEL(eigenae::cuda::workers) infer(const eigenae::cuda::Inference* call) {
  using namespace eigenae::cuda;
  inferTiles(*call, shared());
}
