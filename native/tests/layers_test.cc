// The layers, losses and Adam of the reference.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "../reference/reference.h"
#include "matrices.h"

namespace eigenae {
namespace {

std::vector<float> randomFloats(int count, std::uint32_t seed) {
  const testing::Matrix matrix = testing::randomMatrix(1, count, seed);
  return std::vector<float>(matrix.begin(), matrix.end());
}

struct Shape {
  int batch, inputs, outputs;
};

const Shape oddShapes[] = {{1, 1, 1}, {3, 5, 2}, {17, 13, 7}, {31, 4, 19}, {64, 12, 10}};

TEST(Linear, EqualsTheDefinitionOfItsThreeProducts) {
  for (const auto& [batch, inputs, outputs] : oddShapes) {
    const auto input = randomFloats(batch * inputs, 1), weight = randomFloats(outputs * inputs, 2);
    const auto bias = randomFloats(outputs, 3), gradient = randomFloats(batch * outputs, 4);
    std::vector<float> output(batch * outputs), inputGradient(batch * inputs);
    std::vector<float> weightGradient(outputs * inputs), biasGradient(outputs);
    linearForward(input.data(), weight.data(), bias.data(), batch, inputs, outputs, output.data());
    linearBackwardInput(gradient.data(), weight.data(), batch, inputs, outputs, inputGradient.data());
    linearBackwardWeight(gradient.data(), input.data(), batch, inputs, outputs, weightGradient.data());
    linearBackwardBias(gradient.data(), batch, outputs, biasGradient.data());

    std::vector<double> expectedInputGradient(batch * inputs), expectedWeightGradient(outputs * inputs);
    std::vector<double> expectedBiasGradient(outputs);
    for (int b = 0; b < batch; ++b) {
      for (int o = 0; o < outputs; ++o) {
        double sum = bias[o];
        const double g = gradient[b * outputs + o];
        for (int i = 0; i < inputs; ++i) {
          sum += static_cast<double>(input[b * inputs + i]) * weight[o * inputs + i];
          expectedInputGradient[b * inputs + i] += g * weight[o * inputs + i];
          expectedWeightGradient[o * inputs + i] += g * input[b * inputs + i];
        }
        expectedBiasGradient[o] += g;
        EXPECT_NEAR(output[b * outputs + o], sum, 2e-5);
      }
    }
    for (int i = 0; i < batch * inputs; ++i) EXPECT_NEAR(inputGradient[i], expectedInputGradient[i], 2e-5);
    for (int i = 0; i < outputs * inputs; ++i) EXPECT_NEAR(weightGradient[i], expectedWeightGradient[i], 2e-5);
    for (int i = 0; i < outputs; ++i) EXPECT_NEAR(biasGradient[i], expectedBiasGradient[i], 2e-5);
  }
}

TEST(Relu, PassesTheGradientOnlyWhereItsInputWasPositive) {
  float values[] = {-1, 0, 2}, gradient[] = {5, 6, 7};
  reluForward(values, 3);
  reluBackward(values, gradient, 3);
  EXPECT_EQ(values[0], 0);
  EXPECT_EQ(values[2], 2);
  EXPECT_EQ(gradient[0], 0);
  EXPECT_EQ(gradient[1], 0);
  EXPECT_EQ(gradient[2], 7);
}

TEST(Relu, DoesNotHideANaN) {
  float value = std::nanf("");
  reluForward(&value, 1);
  EXPECT_TRUE(std::isnan(value));
}

TEST(LeakyRelu, KeepsASlopeWhereItsInputWasNegative) {
  float values[] = {-2, 0, 3}, gradient[] = {5, 6, 7};
  leakyReluForward(0.25f, values, 3);
  leakyReluBackward(0.25f, values, gradient, 3);
  EXPECT_EQ(values[0], -0.5f);
  EXPECT_EQ(values[1], 0);
  EXPECT_EQ(values[2], 3);
  EXPECT_EQ(gradient[0], 1.25f);
  EXPECT_EQ(gradient[1], 1.5f);  // as PyTorch at 0
  EXPECT_EQ(gradient[2], 7);
}

TEST(Silu, IsItsInputTimesItsSigmoidAndItsGradientTheDerivative) {
  for (const float x : randomFloats(15, 10)) {
    float value = 4 * x, gradient = 3;
    const double exact = 4.0 * x / (1 + std::exp(-4.0 * x));
    const auto silu = [](double input) { return input / (1 + std::exp(-input)); };
    const double difference = (silu(4.0 * x + 1e-5) - silu(4.0 * x - 1e-5)) / 2e-5;
    siluBackward(&value, &gradient, 1);
    siluForward(&value, 1);
    EXPECT_NEAR(value, exact, 1e-6);
    EXPECT_NEAR(gradient, 3 * difference, 5e-6);
  }
}

TEST(Silu, IsFiniteForLargeInputs) {
  float values[] = {-1000, 1000}, gradient[] = {1, 1};
  siluBackward(values, gradient, 2);
  siluForward(values, 2);
  EXPECT_EQ(values[0], 0);
  EXPECT_EQ(values[1], 1000);
  EXPECT_EQ(gradient[1], 1);
}

TEST(Sigmoid, IsFiniteForLargeInputs) {
  float values[] = {-1000, 0, 1000};
  sigmoidForward(values, 3);
  EXPECT_EQ(values[0], 0);
  EXPECT_EQ(values[1], 0.5f);
  EXPECT_EQ(values[2], 1);
}

double sigmoidMeanSquaredError(std::vector<float> values, const std::vector<float>& target) {
  sigmoidForward(values.data(), values.size());
  return squaredErrorForward(values.data(), target.data(), target.size()) / static_cast<double>(target.size());
}

TEST(Sigmoid, GradientOfTheMeanSquaredErrorEqualsCentralDifferences) {
  const auto values = randomFloats(15, 5), target = randomFloats(15, 6);
  std::vector<float> output = values, gradient(15);
  sigmoidForward(output.data(), 15);
  sigmoidMeanSquaredErrorBackward(output.data(), target.data(), 15, gradient.data());
  for (int i = 0; i < 15; ++i) {
    auto above = values, below = values;
    above[i] += 0.01f;
    below[i] -= 0.01f;
    const double step = static_cast<double>(above[i]) - below[i];
    const double difference = sigmoidMeanSquaredError(above, target) - sigmoidMeanSquaredError(below, target);
    EXPECT_NEAR(gradient[i], difference / step, 2e-5);
  }
}

class BatchNormTest : public ::testing::Test {
 protected:
  static constexpr int batch = 9, width = 3;
  const std::vector<float> input = randomFloats(batch * width, 7), weights = randomFloats(batch * width, 8);
  std::vector<float> gamma = {0.7f, 1.2f, -0.4f}, beta = {0.1f, -0.2f, 0.3f};
  std::vector<float> normalized = std::vector<float>(batch * width), inverseDeviation = std::vector<float>(width);
  std::vector<float> runningMean = {0, 1, 2}, runningVariance = {1, 2, 3};

  std::vector<float> forward(std::vector<float> values, int rows = batch) {
    batchNormForward(values.data(), rows, width, gamma.data(), beta.data(), normalized.data(), inverseDeviation.data(),
                     runningMean.data(), runningVariance.data());
    return values;
  }

  // The loss Σ wᵢ yᵢ² has a different gradient at each output.
  double loss(const std::vector<float>& values) {
    double sum = 0;
    const std::vector<float> output = forward(values);
    for (int i = 0; i < batch * width; ++i) sum += static_cast<double>(weights[i]) * output[i] * output[i];
    return sum;
  }

  template <typename Change>
  double centralDifference(float& parameter, Change lossNow) {
    const float kept = parameter, step = 0.01f;
    parameter = kept + step;
    const double above = lossNow();
    parameter = kept - step;
    const double below = lossNow();
    parameter = kept;
    return (above - below) / (2 * static_cast<double>(step));
  }
};

TEST_F(BatchNormTest, GradientsEqualCentralDifferences) {
  std::vector<float> gradient = forward(input), gammaGradient(width), betaGradient(width), values = input;
  for (int i = 0; i < batch * width; ++i) gradient[i] *= 2 * weights[i];
  batchNormBackward(gradient.data(), batch, width, gamma.data(), normalized.data(), inverseDeviation.data(),
                    gammaGradient.data(), betaGradient.data());
  const auto lossNow = [&] { return loss(values); };
  for (int i = 0; i < batch * width; ++i) EXPECT_NEAR(gradient[i], centralDifference(values[i], lossNow), 1e-3);
  for (int i = 0; i < width; ++i) {
    EXPECT_NEAR(gammaGradient[i], centralDifference(gamma[i], lossNow), 1e-3);
    EXPECT_NEAR(betaGradient[i], centralDifference(beta[i], lossNow), 1e-3);
  }
}

TEST_F(BatchNormTest, NormalisesByTheBiasedAndKeepsTheUnbiasedVariance) {
  const std::vector<float> output = forward(input);
  for (int i = 0; i < width; ++i) {
    double mean = 0, variance = 0;
    for (int b = 0; b < batch; ++b) mean += input[b * width + i] / static_cast<double>(batch);
    for (int b = 0; b < batch; ++b) variance += std::pow(input[b * width + i] - mean, 2);
    const double deviation = std::sqrt(variance / batch + 1e-5);
    EXPECT_NEAR(output[i], gamma[i] * (input[i] - mean) / deviation + beta[i], 1e-6);
    EXPECT_NEAR(runningMean[i], 0.9 * i + 0.1 * mean, 1e-6);
    EXPECT_NEAR(runningVariance[i], 0.9 * (i + 1) + 0.1 * variance / (batch - 1), 1e-6);
  }
}

TEST_F(BatchNormTest, InferenceUsesTheRunningStatistics) {
  std::vector<float> values = input;
  batchNormInference(values.data(), batch, width, gamma.data(), beta.data(), runningMean.data(),
                     runningVariance.data());
  for (int i = 0; i < width; ++i) {
    const double expected = gamma[i] * (input[i] - runningMean[i]) / std::sqrt(runningVariance[i] + 1e-5) + beta[i];
    EXPECT_NEAR(values[i], expected, 1e-6);
  }
}

TEST_F(BatchNormTest, OfOneImageIsBetaAndLeavesTheRunningStatistics) {
  const std::vector<float> mean = runningMean, variance = runningVariance;
  const std::vector<float> output = forward(std::vector<float>(input.begin(), input.begin() + width), 1);
  EXPECT_EQ(output, beta);
  EXPECT_EQ(runningMean, mean);
  EXPECT_EQ(runningVariance, variance);
}

TEST_F(BatchNormTest, OfAConstantFeatureIsFinite) {
  for (float value : forward(std::vector<float>(batch * width, 3.0f))) EXPECT_TRUE(std::isfinite(value));
}

TEST(Adam, FollowsPyTorchsFormula) {
  const AdamSpec adam;
  const double learningRate = 0.005;
  const float gradients[] = {0.5f, -0.25f, 1e-4f};
  float parameter = 1, first = 0, second = 0;
  double expected = 1, m = 0, v = 0;
  for (int step = 1; step <= 3; ++step) {
    const double g = gradients[step - 1];
    m = adam.beta1 * m + (1 - adam.beta1) * g;
    v = adam.beta2 * v + (1 - adam.beta2) * g * g;
    const double denominator = std::sqrt(v) / std::sqrt(1 - std::pow(adam.beta2, step)) + adam.epsilon;
    expected -= learningRate / (1 - std::pow(adam.beta1, step)) * m / denominator;
    adamStep(adam, learningRate, step, &gradients[step - 1], 1, &parameter, &first, &second);
    EXPECT_NEAR(parameter, expected, 1e-7);
  }
}

TEST(AdamW, DecaysWeightsByTheLearningRateTimesTheDecay) {
  float weights[] = {2, -4};
  decayWeights(AdamSpec{.weightDecay = 0.5}, 0.1, 2, weights);
  EXPECT_FLOAT_EQ(weights[0], 1.9f);
  EXPECT_FLOAT_EQ(weights[1], -3.8f);
}

TEST(Sgd, FollowsPyTorchsFormula) {
  const float gradients[] = {0.5f, -0.25f, 0.125f};
  for (const bool nesterov : {false, true}) {
    float parameter = 1, buffer = 0;
    double expected = 1, b = 0;
    for (const float g : gradients) {
      b = 0.9 * b + g;
      expected -= 0.1 * (nesterov ? g + 0.9 * b : b);
      sgdStep({.momentum = 0.9, .nesterov = nesterov}, 0.1, &g, 1, &parameter, &buffer);
      EXPECT_NEAR(parameter, expected, 1e-7);
      EXPECT_NEAR(buffer, b, 1e-7);
    }
  }
}

TEST(Average, IsACopyFirstAndThenMovesByTheDecay) {
  const float values[] = {1, 3};
  float averages[] = {7, 8};
  average(0.75, 1, values, 2, averages);
  EXPECT_EQ(averages[0], 1);
  EXPECT_EQ(averages[1], 3);
  const float later[] = {5, -1};
  average(0.75, 2, later, 2, averages);
  EXPECT_EQ(averages[0], 2);
  EXPECT_EQ(averages[1], 2);
}

TEST(Adam, LeavesAParameterWithoutGradientAlone) {
  const float gradient = 0;
  float parameter = 0.75f, first = 0, second = 0;
  for (int step = 1; step <= 5; ++step) adamStep({}, 0.005, step, &gradient, 1, &parameter, &first, &second);
  EXPECT_EQ(parameter, 0.75f);
}

}  // namespace
}  // namespace eigenae
