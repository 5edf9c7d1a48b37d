#include "batch_norm.h"

#include <cmath>
#include <vector>

namespace eigenae {

namespace {

constexpr float epsilon = 1e-5f;
constexpr float momentum = 0.1f;

float inverseDeviationOf(float variance) { return 1 / std::sqrt(variance + epsilon); }

// [width] means over the batch.
std::vector<float> columnMeans(const float* values, int batch, int width) {
  std::vector<float> means(width, 0.0f);
  for (int b = 0; b < batch; ++b, values += width) {
    for (int i = 0; i < width; ++i) means[i] += values[i];
  }
  for (float& mean : means) mean /= static_cast<float>(batch);
  return means;
}

// [width] means over the batch of first · second, element by element.
std::vector<float> columnMeanProducts(const float* first, const float* second, int batch, int width) {
  std::vector<float> means(width, 0.0f);
  for (int b = 0; b < batch; ++b, first += width, second += width) {
    for (int i = 0; i < width; ++i) means[i] += first[i] * second[i];
  }
  for (float& mean : means) mean /= static_cast<float>(batch);
  return means;
}

}  // namespace

void batchNormForward(float* values, int batch, int width, const float* gamma, const float* beta, float* normalized,
                      float* inverseDeviation, float* runningMean, float* runningVariance) {
  const std::vector<float> mean = columnMeans(values, batch, width);
  float* centered = normalized;
  for (int b = 0; b < batch; ++b, centered += width) {
    for (int i = 0; i < width; ++i) centered[i] = values[b * width + i] - mean[i];
  }
  const std::vector<float> variance = columnMeanProducts(normalized, normalized, batch, width);
  for (int i = 0; i < width; ++i) inverseDeviation[i] = inverseDeviationOf(variance[i]);

  for (int b = 0; b < batch; ++b, values += width, normalized += width) {
    for (int i = 0; i < width; ++i) {
      normalized[i] *= inverseDeviation[i];
      values[i] = gamma[i] * normalized[i] + beta[i];
    }
  }

  if (batch == 1) return;
  const float unbiased = static_cast<float>(batch) / static_cast<float>(batch - 1);
  for (int i = 0; i < width; ++i) {
    runningMean[i] += momentum * (mean[i] - runningMean[i]);
    runningVariance[i] += momentum * (unbiased * variance[i] - runningVariance[i]);
  }
}

void batchNormBackward(float* gradient, int batch, int width, const float* gamma, const float* normalized,
                       const float* inverseDeviation, float* gammaGradient, float* betaGradient) {
  // With g the output's gradient, n the normalised input, s its deviation: dx = γ/s · (g − mean(g) − n · mean(g · n)).
  const std::vector<float> mean = columnMeans(gradient, batch, width);
  const std::vector<float> projection = columnMeanProducts(gradient, normalized, batch, width);
  for (int i = 0; i < width; ++i) {
    betaGradient[i] = mean[i] * static_cast<float>(batch);
    gammaGradient[i] = projection[i] * static_cast<float>(batch);
  }
  for (int b = 0; b < batch; ++b, gradient += width, normalized += width) {
    for (int i = 0; i < width; ++i) {
      const float orthogonal = gradient[i] - mean[i] - normalized[i] * projection[i];
      gradient[i] = gamma[i] * inverseDeviation[i] * orthogonal;
    }
  }
}

void batchNormInference(float* values, int batch, int width, const float* gamma, const float* beta,
                        const float* runningMean, const float* runningVariance) {
  std::vector<float> scale(width);
  for (int i = 0; i < width; ++i) scale[i] = gamma[i] * inverseDeviationOf(runningVariance[i]);
  for (int b = 0; b < batch; ++b, values += width) {
    for (int i = 0; i < width; ++i) values[i] = scale[i] * (values[i] - runningMean[i]) + beta[i];
  }
}

}  // namespace eigenae
