// The two layers whose outputs are the hidden units beside the pixels: layer 0 and the penultimate one. A block has
// some units, for all images of the batch, so their batch norm needs no other block.
#pragma once

#include "activation.h"
#include "normalisation.h"
#include "optimizer.h"

namespace eigenae {
namespace cuda {

// A block's part of one of the two layers, in shared memory.
struct UnitLayer {
  float* vectors;   // [1 or 3: bias, gamma, beta][3: value and both moments][units]
  float* output;    // [units][batch]
  float* gradient;  // [units][batch], of the output of the linear map
  float* kept;      // [units][batch]: with batch norm the normalised values, otherwise SiLU's input
  float* inverse;   // [units]: batch norm's 1 / deviation
  float* scratch;   // [2][statisticParts][units]

  DEV_MEMBER float bias(int u) const { return vectors[u]; }
  DEV_MEMBER float gamma(int u) const { return vectors[3 * units + u]; }
  DEV_MEMBER float beta(int u) const { return vectors[6 * units + u]; }
};

// Computes the output of layer `l` from linear(unit, image), the linear map's output without bias, and calls
// store(unit, image, output) for each.
template <int l, class Linear, class Store>
DEV void forwardUnits(const Block& b, const Step& step, const UnitLayer& layer, Linear linear, Store store) {
  constexpr bool norm = hasBatchNorm(shape, l);
  const float slope = b.training->slope;
  for (int e = thread(); e < units * batch; e += workers) {
    const int u = e / batch, image = e % batch;
    const bool in = b.firstUnit + u < hidden && image < step.images;
    float x = in ? linear(u, image) : 0;
    if constexpr (norm) {
      layer.kept[e] = x;
    } else {
      x += layer.bias(u);
      if constexpr (isSilu) layer.kept[e] = x;
      layer.output[e] = in ? activate(x, slope) : 0;
      store(u, image, layer.output[e]);
    }
  }
  if constexpr (norm) {
    const Moments moments = batchMoments<units>(layer.scratch, step.images,
                                                [&](int u, int image) { return layer.kept[u * batch + image]; });
    for (int e = thread(); e < units * batch; e += workers) {
      const int u = e / batch, image = e % batch;
      const bool in = b.firstUnit + u < hidden && image < step.images;
      const float normalised = (layer.kept[e] - moments.mean(u)) * inverseDeviation(moments.variance(u));
      layer.kept[e] = normalised;
      layer.output[e] = in ? activate(fma(normalised, layer.gamma(u), layer.beta(u)), slope) : 0;
      store(u, image, layer.output[e]);
    }
    for (int u = thread(); u < units; u += workers) {
      layer.inverse[u] = inverseDeviation(moments.variance(u));
      constexpr int at = statisticOffset(shape, l);
      if (b.firstUnit + u < hidden)
        moveStatistics(b, step, at + b.firstUnit + u, hidden, moments.mean(u) + layer.bias(u), moments.variance(u));
    }
  }
}

// Computes the gradient of the linear map's output of layer `l` from gradientOf(unit, image), that of the layer's
// output, and calls store(unit, image, gradient) for each.
template <int l, class Gradient, class Store>
DEV void backwardUnits(const Block& b, const Step& step, const UnitLayer& layer, Gradient gradientOf, Store store) {
  constexpr bool norm = hasBatchNorm(shape, l);
  const float slope = b.training->slope;
  for (int e = thread(); e < units * batch; e += workers) {
    const int u = e / batch, image = e % batch;
    const bool in = b.firstUnit + u < hidden && image < step.images;
    float input = 0;
    if constexpr (isSilu) input = norm ? fma(layer.kept[e], layer.gamma(u), layer.beta(u)) : layer.kept[e];
    const float gradient = in ? activateBackward(gradientOf(u, image), input, layer.output[e], slope) : 0;
    layer.gradient[e] = gradient;
    if constexpr (!norm) store(u, image, gradient);
  }
  if constexpr (norm) {
    const GradientSums sums = batchGradientSums<units>(
        layer.scratch, step.images, [&](int u, int image) { return layer.gradient[u * batch + image]; },
        [&](int u, int image) { return layer.kept[u * batch + image]; });
    for (int e = thread(); e < units * batch; e += workers) {
      const int u = e / batch, image = e % batch;
      const bool in = b.firstUnit + u < hidden && image < step.images;
      const float gradient = in ? normaliseBackward(layer.gradient[e], layer.kept[e], layer.gamma(u) * layer.inverse[u],
                                                    divide(sums.gradient(u), static_cast<float>(step.images)),
                                                    divide(sums.product(u), static_cast<float>(step.images)))
                                : 0;
      layer.gradient[e] = gradient;
      store(u, image, gradient);
    }
  }
}

// Updates the bias and, with batch norm, gamma and beta of layer `l`. The gradient of a bias before batch norm is 0,
// because the mean removes the bias.
template <int l>
DEV void updateUnitVectors(const Block& b, const Step& step, const UnitLayer& layer) {
  constexpr bool norm = hasBatchNorm(shape, l);
  constexpr int at = biasOffset(shape, l);
  const Optimizer optimizer = optimizerOf(b, step);
  // The last threads, because the first ones have one weight more.
  for (int u = workers - 1 - thread(); u < units; u += workers) {
    if (b.firstUnit + u >= hidden) continue;
    const auto update = [&](int vector, float gradient) {
      float* const value = layer.vectors + 3 * vector * units + u;
      optimizer.update(gradient, false, value[0], value[units], value[2 * units]);
      optimizer.average(b.training->averages, at + vector * hidden + b.firstUnit + u, value[0]);
    };
    if constexpr (norm) {
      const GradientSums sums{layer.scratch, units};
      update(0, 0);
      update(1, sums.product(u));
      update(2, sums.gradient(u));
    } else {
      float sum = 0;
      for (int image = 0; image < batch; ++image) sum += layer.gradient[u * batch + image];
      update(0, sum);
    }
  }
}

// Stores this block's share of Σ weight[unit][k] · values[unit][image] over all units: out [batch][middleWidth].
DEV void storeMiddleSums(const float* values, const float* weight, float* out) {
  for (int e = thread(); e < batch * middleWidth; e += workers) {
    const int image = e / middleWidth, k = e % middleWidth;
    const float sum = sumSlices([&](int slice) {
      float s = 0;
#pragma unroll
      for (int u = slice * sliceUnits; u < (slice + 1) * sliceUnits; ++u)
        s = fma(values[u * batch + image], weight[u * middleWidth + k], s);
      return s;
    });
    storeExchanged(out + e, sum);
  }
}

// Copies a matrix [batch][middleWidth] from the exchange to `middle` [batch][middleRow].
DEV void loadMiddle(const float* exchanged, float* middle) {
  for (int e = thread(); e < batch * middleWidth; e += workers) {
    const int image = e / middleWidth, k = e % middleWidth;
    middle[image * middleRow + k] = image < batchSize ? loadExchanged(exchanged + e) : 0;
  }
}

// Updates the weights between this block's units and the middle, [3: value and both moments][units][middleWidth]. The
// gradient of a weight is Σ values[unit][image] · middle[image][k]. place(unit, k) is a weight's offset in the
// parameters.
template <class Place>
DEV void updateUnitWeights(const Block& b, const Step& step, const float* values, const float* middle, float* weight,
                           Place place) {
  const Optimizer optimizer = optimizerOf(b, step);
  for (int e = thread(); e < units * middleWidth; e += workers) {
    const int u = e / middleWidth, k = e % middleWidth;
    if (b.firstUnit + u >= hidden) continue;
    float sum = 0;
#pragma unroll 4
    for (int image = 0; image < batch; ++image)
      sum = fma(values[u * batch + image], middle[image * middleRow + k], sum);
    optimizer.update(sum, true, weight[e], weight[units * middleWidth + e], weight[2 * units * middleWidth + e]);
    optimizer.average(b.training->averages, place(b.firstUnit + u, k), weight[e]);
  }
}

}  // namespace cuda
}  // namespace eigenae
