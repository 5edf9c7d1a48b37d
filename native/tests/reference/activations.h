#pragma once

#include <cstddef>

namespace eigenae {

// In place on [count] values. The gradient where the input is 0 is 0, as PyTorch's.
void reluForward(float* values, std::size_t count);
void reluBackward(const float* output, float* gradient, std::size_t count);

void sigmoidForward(float* values, std::size_t count);

// Σ over [count] of (output − target)²
double squaredErrorForward(const float* output, const float* target, std::size_t count);

// The gradient of mean((sigmoid(a) − target)²) for a [count], from output = sigmoid(a).
void sigmoidMeanSquaredErrorBackward(const float* output, const float* target, std::size_t count, float* gradient);

}  // namespace eigenae
