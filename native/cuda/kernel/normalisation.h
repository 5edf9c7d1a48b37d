// Batch norm's statistics, for values that a block has of all images of the batch. A sum over the batch is always of
// the same partial sums, those over every fourth image, whatever the division among blocks.
#pragma once

#include "layout.h"

namespace eigenae {
namespace cuda {

DEV float inverseDeviation(float variance) {
  constexpr float epsilon = 1e-5f;  // as torch.nn.BatchNorm1d
  return reciprocal(squareRoot(variance + epsilon));
}

// Partial sums [2][statisticParts][width].
struct PartialSums {
  const float* parts;
  int width;

  DEV_MEMBER float sum(int which, int unit) const {
    const float* p = parts + which * statisticParts * width + unit;
    return (p[0] + p[width]) + (p[2 * width] + p[3 * width]);
  }
};
static_assert(statisticParts == 4, "as sum adds them");

struct Moments {
  PartialSums sums;
  int count;

  DEV_MEMBER float mean(int unit) const { return divide(sums.sum(0, unit), static_cast<float>(count)); }
  DEV_MEMBER float variance(int unit) const { return divide(sums.sum(1, unit), static_cast<float>(count)); }  // biased
};

// Returns means and variances over `count` images of valueOf(unit, image), for `width` units. Begins and ends with a
// barrier of the workers.
template <int width, class Value>
DEV Moments batchMoments(float* scratch, int count, Value valueOf) {
  const Moments moments{{scratch, width}, count};
  syncFirst<workers>();  // the values are there
  for (int e = thread(); e < statisticParts * width; e += workers) {
    float sum = 0;
    for (int image = e / width; image < count; image += statisticParts) sum += valueOf(e % width, image);
    scratch[e] = sum;
  }
  syncFirst<workers>();  // the partial sums of the means are there
  for (int e = thread(); e < statisticParts * width; e += workers) {
    const float mean = moments.mean(e % width);
    float sum = 0;
    for (int image = e / width; image < count; image += statisticParts) {
      const float deviation = valueOf(e % width, image) - mean;
      sum = fma(deviation, deviation, sum);
    }
    scratch[statisticParts * width + e] = sum;
  }
  syncFirst<workers>();  // those of the variances are there, and all have read the values
  return moments;
}

// The sums over the batch that batch norm's backward pass needs, of the gradient and of its product with the normalised
// value. They are the gradients of beta and gamma.
struct GradientSums {
  const float* parts;
  int width;

  DEV_MEMBER float gradient(int unit) const { return PartialSums{parts, width}.sum(0, unit); }
  DEV_MEMBER float product(int unit) const { return PartialSums{parts, width}.sum(1, unit); }
};

// Begins and ends with a barrier of the workers.
template <int width, class Gradient, class Normalised>
DEV GradientSums batchGradientSums(float* scratch, int count, Gradient gradientOf, Normalised normalisedOf) {
  syncFirst<workers>();  // the gradients are there
  for (int e = thread(); e < statisticParts * width; e += workers) {
    float sum = 0, product = 0;
    for (int image = e / width; image < count; image += statisticParts) {
      const float gradient = gradientOf(e % width, image);
      sum += gradient;
      product = fma(gradient, normalisedOf(e % width, image), product);
    }
    scratch[e] = sum;
    scratch[statisticParts * width + e] = product;
  }
  syncFirst<workers>();  // the partial sums are there, and all have read the gradients
  return {scratch, width};
}

// Returns the gradient of batch norm's input, scale · (g − mean(g) − n · mean(g · n)) with scale = gamma / deviation.
DEV float normaliseBackward(float gradient, float normalised, float scale, float meanGradient, float meanProduct) {
  return scale * fma(-normalised, meanProduct, gradient - meanGradient);
}

// Moves a unit's running mean, at `at`, and its running variance, `width` further on, and the averages of both. A
// single image has no unbiased variance and moves nothing.
DEV void moveStatistics(const Block& b, const Step& step, int at, int width, float mean, float variance) {
  constexpr float momentum = 0.1f;
  const Training& g = *b.training;
  const float count = static_cast<float>(step.images);
  float* const running = g.runningStatistics + at;
  if (step.images > 1) {
    running[0] = fma(mean - running[0], momentum, running[0]);
    const float unbiased = divide(count, count - 1) * variance;
    running[width] = fma(unbiased - running[width], momentum, running[width]);
  }
  if (g.averagedStatistics == nullptr) return;
  const float share = g.factors[step.index].averageShare;
  float* const average = g.averagedStatistics + at;
  average[0] = fma(running[0] - average[0], share, average[0]);
  average[width] = fma(running[width] - average[width], share, average[width]);
}

}  // namespace cuda
}  // namespace eigenae
