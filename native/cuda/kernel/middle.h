// The layers in the middle, divided by images: the output of layer 1, and the small layers between it and the
// penultimate layer. A block has all units of some images. Batch norm makes the blocks exchange values: forward the
// linear outputs, of which every block computes the statistics of the whole batch by itself, backward two sums over
// images.
#pragma once

#include "activation.h"
#include "eigen_gradient.h"
#include "normalisation.h"
#include "optimizer.h"

namespace eigenae {
namespace cuda {

// A block's part of the middle, in shared memory. An image's values of all layers follow each other.
struct Middle {
  float* small;           // [smalls]: parameters
  float *first, *second;  // [ownSmalls]: moments of the parameters that this block updates
  float* values;          // [images][activations]: outputs of layers 1 … penultimate − 1
  float* gradients;       // [images][activations]: of the outputs of the linear maps
  float* kept;            // [images][activations]: with batch norm the normalised values, otherwise SiLU's input
  float* inverse;         // [activations]: batch norm's 1 / deviation
  float* all;             // [batch][middleRow]: a layer's values of all images
  float* scratch;         // [2][statisticParts][middleRow]
};

// Offsets of layer l, which has the outputs `to` … `to` + out of an image's values.
template <int l>
struct SmallLayer {
  static constexpr int in = widthOf(shape, l), out = widthOf(shape, l + 1);
  static constexpr int from = l > 1 ? activationOffset(shape, l) : 0, to = activationOffset(shape, l + 1);
  static constexpr int weight = l > 1 ? weightOffset(shape, l) - smallsAt : 0, bias = biasOffset(shape, l) - smallsAt;
  static constexpr int gamma = bias + out, beta = gamma + out;
  static constexpr int statistics = statisticOffset(shape, l);
  static constexpr bool norm = hasBatchNorm(shape, l), isLatent = l + 1 == depth;
};

// The index of an element of a block's images, and the image's position in the batch.
struct Element {
  int i, k, at, image;
};
template <int out, int to>
DEV Element elementOf(const Block& b, int e) {
  return {e / out, e % out, e / out * activations + to + e % out, b.firstImage + e / out};
}

// Stores an output of layer l for the blocks that need it: the embedding, and the features of the penultimate layer.
template <int l>
DEV void storeOutput(const Block& b, const Element& e, float value) {
  constexpr ExchangeLayout at = exchangeLayout(shape);
  if (e.image >= batchSize) return;
  if constexpr (SmallLayer<l>::isLatent)
    storeExchanged(b.exchange + at.embedding + e.image * latentStride + e.k, value);
  if constexpr (l + 1 == penultimate) storeExchanged(b.exchange + at.features + e.image * middleWidth + e.k, value);
}

// Computes the outputs of layer l from linear(element), the linear map's output without bias.
template <int l, class Linear>
DEV void forwardSmall(Block& b, const Step& step, const Middle& m, Linear linear) {
  using L = SmallLayer<l>;
  constexpr ExchangeLayout exchangeAt = exchangeLayout(shape);
  const float slope = b.training->slope;
  const auto finish = [&](const Element& e, float x) {
    const float value = e.image >= step.images ? 0 : L::isLatent ? x : activate(x, slope);
    m.values[e.at] = value;
    storeOutput<l>(b, e, value);
  };
  for (int index = thread(); index < images * L::out; index += workers) {
    const Element e = elementOf<L::out, L::to>(b, index);
    const bool in = e.image < step.images;
    const float x = in ? linear(e) : 0;
    if constexpr (L::norm) {
      m.values[e.at] = x;
      if (in) storeExchanged(b.exchange + exchangeAt.linear + e.image * activations + L::to + e.k, x);
    } else {
      const float shifted = x + m.small[L::bias + e.k];
      if constexpr (isSilu) m.kept[e.at] = shifted;
      finish(e, shifted);
    }
  }
  if constexpr (L::norm) {
    arrive(b);
    wait(b);  // the linear outputs of all images are there
    for (int index = thread(); index < step.images * L::out; index += workers) {
      const int image = index / L::out, k = index % L::out;
      m.all[image * middleRow + k] = loadExchanged(b.exchange + exchangeAt.linear + image * activations + L::to + k);
    }
    const Moments moments =
        batchMoments<L::out>(m.scratch, step.images, [&](int k, int image) { return m.all[image * middleRow + k]; });
    for (int index = thread(); index < images * L::out; index += workers) {
      const Element e = elementOf<L::out, L::to>(b, index);
      const float normalised = (m.values[e.at] - moments.mean(e.k)) * inverseDeviation(moments.variance(e.k));
      m.kept[e.at] = normalised;
      finish(e, fma(normalised, m.small[L::gamma + e.k], m.small[L::beta + e.k]));
    }
    for (int k = thread(); k < L::out; k += workers) {
      m.inverse[L::to + k] = inverseDeviation(moments.variance(k));
      if (b.rank == 0)
        moveStatistics(b, step, L::statistics + k, L::out, moments.mean(k) + m.small[L::bias + k], moments.variance(k));
    }
  }
}

// Computes all layers of the middle, from the partial sums over the units before layer 1.
DEV void forwardMiddle(Block& b, const Step& step, const Middle& m) {
  constexpr ExchangeLayout at = exchangeLayout(shape);
  forwardSmall<1>(b, step, m, [&](const Element& e) {
    return sumBlocks(0, b.exchange + at.middleSums + e.image * middleWidth + e.k, batch * middleWidth);
  });
  ascend<2, penultimate>([&](auto number) {
    using L = SmallLayer<decltype(number)::number>;
    syncFirst<workers>();  // the outputs of the layer before are there
    forwardSmall<decltype(number)::number>(b, step, m, [&](const Element& e) {
      const float *in = m.values + e.i * activations + L::from, *weight = m.small + L::weight + e.k * L::in;
      float sum = 0;
#pragma unroll 8
      for (int k = 0; k < L::in; ++k) sum = fma(in[k], weight[k], sum);
      return sum;
    });
  });
}

// Stores this block's sums over images of gradient and gradient · normalised value as the gradients of beta and gamma;
// waits for those of the other blocks, and computes the gradient of batch norm's input.
template <int l>
DEV void backwardNorm(Block& b, const Step& step, const Middle& m) {
  using L = SmallLayer<l>;
  constexpr ExchangeLayout at = exchangeLayout(shape);
  float* const sums = b.exchange + at.smallSums;
  syncFirst<workers>();  // the gradients are there
  for (int k = thread(); k < L::out; k += workers) {
    const auto sumImages = [&](auto valueOf) {
      return sumSlices([&](int slice) {
        float sum = 0;
        for (int i = slice * sliceImages; i < (slice + 1) * sliceImages; ++i)
          sum += valueOf(i * activations + L::to + k);
        return sum;
      });
    };
    storeExchanged(sums + b.rank * smalls + L::beta + k, sumImages([&](int e) { return m.gradients[e]; }));
    storeExchanged(sums + b.rank * smalls + L::gamma + k, sumImages([&](int e) { return m.gradients[e] * m.kept[e]; }));
  }
  arrive(b);
  wait(b);  // the sums of all blocks are there
  const float count = static_cast<float>(step.images);
  for (int k = thread(); k < L::out; k += workers) {
    m.scratch[k] = divide(sumBlocks(0, sums + L::beta + k, smalls), count);
    m.scratch[middleRow + k] = divide(sumBlocks(0, sums + L::gamma + k, smalls), count);
  }
  syncFirst<workers>();  // the means are there
  for (int index = thread(); index < images * L::out; index += workers) {
    const Element e = elementOf<L::out, L::to>(b, index);
    const float scale = m.small[L::gamma + e.k] * m.inverse[L::to + e.k];
    m.gradients[e.at] = e.image < step.images ? normaliseBackward(m.gradients[e.at], m.kept[e.at], scale,
                                                                  m.scratch[e.k], m.scratch[middleRow + e.k])
                                              : 0;
  }
}

// Computes the gradient of the linear map's output of layer l from gradientOf(element), that of the layer's output.
template <int l, class Gradient>
DEV void backwardSmall(Block& b, const Step& step, const Middle& m, const double* direction, Gradient gradientOf) {
  using L = SmallLayer<l>;
  const float slope = b.training->slope;
  for (int index = thread(); index < images * L::out; index += workers) {
    const Element e = elementOf<L::out, L::to>(b, index);
    float gradient = e.image < step.images ? gradientOf(e) : 0;
    if constexpr (L::isLatent) {
      if (direction != nullptr && e.image < step.images)
        gradient += eigenGradient(m.values + e.i * activations + L::to, direction, e.k);
    } else {
      float input = 0;
      if constexpr (isSilu) {
        input = m.kept[e.at];
        if constexpr (L::norm) input = fma(input, m.small[L::gamma + e.k], m.small[L::beta + e.k]);
      }
      gradient = activateBackward(gradient, input, m.values[e.at], slope);
    }
    m.gradients[e.at] = gradient;
  }
  if constexpr (L::norm) backwardNorm<l>(b, step, m);
}

// Stores this block's share of the gradients of the small layers' parameters: Σ over its images.
DEV void storeSmallSums(const Block& b, const Middle& m) {
  constexpr ExchangeLayout at = exchangeLayout(shape);
  float* const sums = b.exchange + at.smallSums + b.rank * smalls;
  ascend<1, penultimate>([&](auto number) {
    using L = SmallLayer<decltype(number)::number>;
    constexpr int weights = decltype(number)::number == 1 ? 0 : L::in * L::out;  // those of layer 1 are elsewhere
    constexpr int biases = L::norm ? 0 : L::out;  // the gradient of a bias before batch norm is 0
    for (int e = thread(); e < weights + biases; e += workers) {
      const float* gradients = m.gradients + L::to + (e < weights ? e / L::in : e - weights);
      const float* values = m.values + L::from + e % L::in;
      const float sum = sumSlices([&](int slice) {
        float s = 0;
#pragma unroll
        for (int i = slice * sliceImages; i < (slice + 1) * sliceImages; ++i)
          s = e < weights ? fma(gradients[i * activations], values[i * activations], s)
                          : s + gradients[i * activations];
        return s;
      });
      storeExchanged(sums + (e < weights ? L::weight + e : L::bias + e - weights), sum);
    }
  });
}

// Computes the gradients of all layers of the middle, from the partial sums over the units behind the penultimate
// layer. `direction` is the eigen losses' gradient, or null.
DEV void backwardMiddle(Block& b, const Step& step, const Middle& m, const double* direction) {
  constexpr ExchangeLayout at = exchangeLayout(shape);
  backwardSmall<penultimate - 1>(b, step, m, direction, [&](const Element& e) {
    return sumBlocks(0, b.exchange + at.middleSums + e.image * middleWidth + e.k, batch * middleWidth);
  });
  descend<penultimate - 1, 2>([&](auto number) {
    using L = SmallLayer<decltype(number)::number>;
    syncFirst<workers>();  // the gradients of the layer behind are there
    backwardSmall<decltype(number)::number - 1>(b, step, m, direction, [&](const Element& e) {
      const float *out = m.gradients + e.i * activations + L::to, *weight = m.small + L::weight + e.k;
      float sum = 0;
#pragma unroll 8
      for (int k = 0; k < L::out; ++k) sum = fma(out[k], weight[k * L::in], sum);
      return sum;
    });
  });
  for (int index = thread(); index < images * middleWidth; index += workers) {
    const Element e = elementOf<middleWidth, 0>(b, index);
    if (e.image < batchSize) storeExchanged(b.exchange + at.gradients + e.image * middleWidth + e.k, m.gradients[e.at]);
  }
  syncFirst<workers>();  // the gradients of layer 1 are there
  storeSmallSums(b, m);
}

// How a parameter of the middle is updated, by its offset.
struct SmallParameter {
  bool isWeight;        // which AdamW decays
  bool isRemovedShift;  // a bias before batch norm
  int latentShift;  // the latent unit whose shift this is, if the next layer's batch norm removes it; otherwise −1
};
DEV SmallParameter describeSmall(int at) {
  SmallParameter p{false, false, -1};
  ascend<1, penultimate>([&](auto number) {
    using L = SmallLayer<decltype(number)::number>;
    if (decltype(number)::number > 1 && at >= L::weight && at < L::bias) p.isWeight = true;
    if (L::norm && at >= L::bias && at < L::gamma) p.isRemovedShift = true;
    if constexpr (L::isLatent && latentShiftIsRemoved) {
      constexpr int shift = L::norm ? L::beta : L::bias;
      if (at >= shift && at < shift + latent) p.latentShift = at - shift;
    }
  });
  return p;
}

// Updates this block's share of the small layers' parameters and stores their new values for all blocks. A shift of the
// embedding that the next layer's batch norm removes has the eigen losses' gradient alone: that of the reconstruction
// is 0 but for rounding errors, which Adam would scale to full steps.
DEV void updateSmall(const Block& b, const Step& step, const Middle& m, const double* direction) {
  constexpr ExchangeLayout at = exchangeLayout(shape);
  const Optimizer optimizer = optimizerOf(b, step);
  for (int q = thread(); q < ownSmalls; q += workers) {
    const int k = b.rank * ownSmalls + q;
    if (k >= smalls) continue;
    const SmallParameter p = describeSmall(k);
    float gradient = 0;
    if (p.latentShift >= 0) {
      if (direction != nullptr) gradient = static_cast<float>(direction[shiftSumAt + p.latentShift]);
    } else if (!p.isRemovedShift) {
      gradient = sumBlocks(0, b.exchange + at.smallSums + k, smalls);
    }
    float value = m.small[k];
    optimizer.update(gradient, p.isWeight, value, m.first[q], m.second[q]);
    optimizer.average(b.training->averages, smallsAt + k, value);
    storeExchanged(b.exchange + at.small + k, value);
  }
}

}  // namespace cuda
}  // namespace eigenae
