// A block's share of a model's state: read into shared memory at the beginning of a launch, and written back at its
// end. The moments of the first and the last weight stay in global memory.
#pragma once

#include "middle.h"
#include "units.h"

namespace eigenae {
namespace cuda {

// The places of shared memory; SharedLayout has the shapes.
struct SharedState {
  float *firstWeight, *lastWeight, *input, *output, *outputBias, *units, *secondWeight, *penultimateWeight;
  UnitLayer first, penultimate;
  Middle middle;
  const double* direction;
};

DEV SharedState sharedState(float* shared) {
  constexpr SharedLayout at = sharedLayout(shape);
  const UnitLayer first{shared + at.firstVectors, shared + at.firstOutput,    shared + at.firstGradient,
                        shared + at.firstKept,    shared + at.unitStatistics, shared + at.scratch};
  const UnitLayer last{shared + at.penultimateVectors,     shared + at.penultimateOutput,
                       shared + at.penultimateGradient,    shared + at.penultimateKept,
                       shared + at.unitStatistics + units, shared + at.scratch};
  const Middle middle{shared + at.small,           shared + at.smallFirst, shared + at.smallSecond,
                      shared + at.activations,     shared + at.gradients,  shared + at.kept,
                      shared + at.smallStatistics, shared + at.middle,     shared + at.scratch};
  return {shared + at.firstWeight,
          shared + at.lastWeight,
          shared + at.input,
          shared + at.output,
          shared + at.outputBias,
          shared + at.units,
          shared + at.secondWeight,
          shared + at.penultimateWeight,
          first,
          last,
          middle,
          reinterpret_cast<const double*>(shared + at.direction)};
}

// Calls visit(shared, k) for the parameters of the pixels: shared is an element of shared memory, k its offset in the
// parameters, or −1 beyond the network.
template <class Visit>
DEV void visitPixelWeights(const Block& b, const SharedState& s, Visit visit) {
  constexpr int last = weightOffset(shape, layers - 1);
  // In global memory the first weight is [unit][pixel], so that neighbouring threads have neighbouring pixels.
  for (int e = thread(); e < pixels * hiddenRow; e += workers) {
    const int u = e / pixels, pixel = b.firstPixel + e % pixels;
    visit(s.firstWeight[e % pixels * hiddenRow + u], pixel < inputs && u < hidden ? u * inputs + pixel : -1);
  }
  for (int e = thread(); e < pixels * hiddenRow; e += workers) {
    const int u = e % hiddenRow, pixel = b.firstPixel + e / hiddenRow;
    visit(s.lastWeight[e], pixel < inputs && u < hidden ? last + pixel * hidden + u : -1);
  }
}

// Calls visit(shared, k, which) for the parameters that are in shared memory with their moments: which is 0 for the
// value, 1 for the first moment, 2 for the second.
template <class Visit>
DEV void visitOwned(const Block& b, const SharedState& s, Visit visit) {
  constexpr int outputBias = biasOffset(shape, layers - 1), weight1 = weightOffset(shape, 1);
  constexpr int weightPenultimate = weightOffset(shape, penultimate);
  constexpr int first = biasOffset(shape, 0), last = biasOffset(shape, penultimate);
  for (int which = 0; which < 3; ++which) {
    for (int row = thread(); row < pixels; row += workers) {
      const int pixel = b.firstPixel + row;
      visit(s.outputBias[which * pixels + row], pixel < inputs ? outputBias + pixel : -1, which);
    }
    for (int e = thread(); e < units * middleWidth; e += workers) {
      const int unit = b.firstUnit + e / middleWidth, k = e % middleWidth;
      const bool in = unit < hidden;
      visit(s.secondWeight[which * units * middleWidth + e], in ? weight1 + k * hidden + unit : -1, which);
      visit(s.penultimateWeight[which * units * middleWidth + e], in ? weightPenultimate + unit * middleWidth + k : -1,
            which);
    }
    for (int u = thread(); u < units; u += workers) {
      const int unit = b.firstUnit + u;
      for (int v = 0; v < (firstNorm ? 3 : 1); ++v)
        visit(s.first.vectors[(3 * v + which) * units + u], unit < hidden ? first + v * hidden + unit : -1, which);
      for (int v = 0; v < (penultimateNorm ? 3 : 1); ++v)
        visit(s.penultimate.vectors[(3 * v + which) * units + u], unit < hidden ? last + v * hidden + unit : -1, which);
    }
  }
  for (int q = thread(); q < ownSmalls; q += workers) {
    const int k = b.rank * ownSmalls + q, at = k < smalls ? smallsAt + k : -1;
    visit(s.middle.first[q], at, 1);
    visit(s.middle.second[q], at, 2);
  }
}

// Copies the small layers' parameters into shared memory.
DEV void loadSmall(const float* exchanged, float* small) {
  for (int k = thread(); k < smalls; k += workers) small[k] = loadExchanged(exchanged + k);
}

DEV void loadState(const Block& b, const SharedState& s) {
  const Training& g = *b.training;
  const float* const arrays[3] = {g.parameters, g.firstMoments, g.secondMoments};
  visitPixelWeights(b, s, [&](float& to, int k) { to = k >= 0 ? g.parameters[k] : 0; });
  visitOwned(b, s, [&](float& to, int k, int which) { to = k >= 0 ? arrays[which][k] : 0; });
  for (int k = thread(); k < smalls; k += workers) s.middle.small[k] = g.parameters[smallsAt + k];
}

DEV void storeState(const Block& b, const SharedState& s) {
  const Training& g = *b.training;
  float* const arrays[3] = {g.parameters, g.firstMoments, g.secondMoments};
  visitPixelWeights(b, s, [&](float value, int k) {
    if (k >= 0) g.parameters[k] = value;
  });
  visitOwned(b, s, [&](float value, int k, int which) {
    if (k >= 0) arrays[which][k] = value;
  });
  for (int q = thread(); q < ownSmalls; q += workers) {
    const int k = b.rank * ownSmalls + q;
    if (k < smalls) g.parameters[smallsAt + k] = s.middle.small[k];
  }
}

}  // namespace cuda
}  // namespace eigenae
