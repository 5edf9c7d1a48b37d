#include "activations.h"

#include <cmath>

namespace eigenae {

void reluForward(float* values, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) values[i] = values[i] < 0 ? 0 : values[i];  // a NaN stays
}

void reluBackward(const float* output, float* gradient, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) gradient[i] = output[i] > 0 ? gradient[i] : 0;
}

void sigmoidForward(float* values, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) values[i] = 1 / (1 + std::exp(-values[i]));
}

double squaredErrorForward(const float* output, const float* target, std::size_t count) {
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const float difference = output[i] - target[i];
    sum += static_cast<double>(difference * difference);
  }
  return sum;
}

void sigmoidMeanSquaredErrorBackward(const float* output, const float* target, std::size_t count, float* gradient) {
  const float scale = 2 / static_cast<float>(count);
  for (std::size_t i = 0; i < count; ++i) {
    gradient[i] = scale * (output[i] - target[i]) * output[i] * (1 - output[i]);
  }
}

}  // namespace eigenae
