// Compares every kernel that is not a product with its definition on odd sizes.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "../core/random.h"
#include "../reference/reference.h"
#include "kernel_fixture.h"

namespace eigenae {
namespace {

using testing::oddSizes;
using testing::PanelMatrix;
using testing::randomMatrix;

class Kernel : public testing::KernelTest {};

EIGENAE_EVERY_INSTRUCTION_SET(Kernel);

TEST_P(Kernel, TrainArrayIsAdamOnUnalignedArrays) {
  const AdamSpec spec;
  const float rootCorrection = std::sqrt(1 - 0.999f);
  const OptimizerStep step{.oneMinusBeta1 = 0.1f,
                           .oneMinusBeta2 = 0.001f,
                           .stepSize = 0.005f * rootCorrection / 0.1f,
                           .epsilon = 1e-8f * rootCorrection};
  for (const int count : oddSizes) {
    const auto numbers = randomMatrix(4, count + 1, 9);
    std::vector<float> gradient(count + 1), w(count + 1), m(count + 1), v(count + 1);
    for (int i = 0; i <= count; ++i) {
      gradient[i] = static_cast<float>(numbers[i]);
      w[i] = static_cast<float>(numbers[count + 1 + i]);
    }
    auto w2 = w, m2 = m, v2 = v;
    adamStep(spec, 0.005, 1, gradient.data() + 1, count, w2.data() + 1, m2.data() + 1, v2.data() + 1);
    kernels()
        .updatesOf(Optimizer::adam, false)
        .array(gradient.data() + 1, count, {w.data() + 1, m.data() + 1, v.data() + 1, nullptr}, step);
    for (int i = 0; i <= count; ++i) {
      EXPECT_NEAR(w[i], w2[i], 1e-6);
      EXPECT_NEAR(m[i], m2[i], 1e-7);
      EXPECT_NEAR(v[i], v2[i], 1e-7);
    }
  }
}

TEST_P(Kernel, FillInputIsThePixelsPlusNoise) {
  for (const int inputs : {1, 3, 4, 7, 30, 97}) {
    std::vector<std::uint8_t> bytes(1 + 50 * inputs);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 37);
    std::vector<std::uint32_t> index;
    for (int c = 0; c < width(); ++c) index.push_back(static_cast<std::uint32_t>(c * 7 % 50));
    const std::uint8_t* unaligned = bytes.data() + 1;
    PanelMatrix input(kernels(), inputs, width());
    for (const float deviation : {0.0f, 0.2f, 1.0f}) {
      const std::size_t stride = inputs;
      const NoisyInput from{.images = unaligned,
                            .inputs = stride,
                            .imageStride = stride,
                            .index = index.data(),
                            .seed = 11,
                            .purpose = 3,
                            .epoch = 5,
                            .deviation = deviation};
      kernels().fillInput(from, 0, 1, input.data());
      kernels().fillInput(from, 1, (inputs + 3) / 4, input.data() + 4 * width());
      for (int r = 0; r < inputs; ++r) {
        for (int c = 0; c < width(); ++c) {
          const float pixel = static_cast<float>(unaligned[index[c] * inputs + r]) / 255.0f;
          const float noise = normals(11, 3, 5, index[c], static_cast<std::uint32_t>(r / 4))[r % 4];
          ASSERT_NEAR(input.at(r, c), pixel + deviation * noise, 2e-6);
        }
      }
    }
  }
}

TEST_P(Kernel, ReadPixelsGivesFractionsOf255) {
  constexpr std::size_t imageStride = 83;
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i < 11 * imageStride; ++i) bytes.push_back(static_cast<std::uint8_t>(i * 7));
  const std::vector<std::uint32_t> index{9, 3, 4, 4, 0};
  for (int count = 1; count <= width(); ++count) {
    PanelMatrix pixels(kernels(), static_cast<int>(index.size()), width());
    kernels().readPixels(bytes.data() + 1, imageStride, index.data(), 5, count, pixels.data());
    for (int i = 0; i < 5; ++i) {
      for (int c = 0; c < width(); ++c) {
        const std::size_t at = 1 + index[i] * imageStride + c;
        EXPECT_EQ(pixels.at(i, c), c < count ? static_cast<float>(bytes[at]) / 255.0f : 0);
      }
    }
  }
}

TEST_P(Kernel, NoiseIsStandardNormalAndExactInItsTails) {
  double sum = 0, squares = 0, worst = 0;
  constexpr int inputs = 4000, panels = 4;
  std::vector<std::uint8_t> bytes(inputs);
  PanelMatrix input(kernels(), inputs, width());
  for (std::uint32_t epoch = 0; epoch < panels; ++epoch) {
    std::vector<std::uint32_t> index(width(), 0);
    const NoisyInput from{.images = bytes.data(),
                          .inputs = inputs,
                          .imageStride = inputs,
                          .index = index.data(),
                          .seed = 1,
                          .purpose = 3,
                          .epoch = epoch,
                          .deviation = 1.0f};
    kernels().fillInput(from, 0, inputs / 4, input.data());
    for (int r = 0; r < inputs; ++r) {
      const double value = input.at(r, 0);
      worst = std::max(worst, std::abs(value - normals(1, 3, epoch, 0, static_cast<std::uint32_t>(r / 4))[r % 4]));
      sum += value;
      squares += value * value;
    }
  }
  EXPECT_LT(worst, 2e-6);
  EXPECT_NEAR(sum / (inputs * panels), 0, 0.03);
  EXPECT_NEAR(squares / (inputs * panels), 1, 0.04);
}

TEST_P(Kernel, SigmoidLossIsTheSquaredErrorAndItsGradient) {
  for (const int rows : oddSizes) {
    for (const int valid : {1, width() / 2 + 1, width()}) {
      PanelMatrix x(kernels(), rows, width(), 4), target(kernels(), rows, width(), 5);
      for (int c = 0; c < width(); ++c) x.at(0, c) *= 60;  // saturates the sigmoid in both directions
      PanelMatrix before(kernels(), rows, width());
      std::memcpy(before.data(), x.data(), sizeof(float) * x.stride());
      std::vector<float> bias;
      for (int c = 0; c < width(); ++c) bias.push_back(0.1f * static_cast<float>(c % 5));
      const float loss = kernels().sigmoidLoss(target.data(), bias.data(), rows, valid, 0.5f, x.data());
      double expected = 0;
      for (int r = 0; r < rows; ++r) {
        for (int c = 0; c < width(); ++c) {
          const double y = 1 / (1 + std::exp(-static_cast<double>(before.at(r, c) + bias[c])));
          const double difference = c < valid ? y - target.at(r, c) : 0;
          expected += difference * difference;
          ASSERT_NEAR(x.at(r, c), 0.5 * difference * y * (1 - y), 5e-7);
        }
      }
      EXPECT_NEAR(loss, expected, 1e-5 * expected + 1e-6);
    }
  }
}

constexpr ActivationFunction activations[] = {
    {Activation::none}, {Activation::relu}, {Activation::leakyRelu, 0.3f}, {Activation::silu}};

float activated(ActivationFunction activation, float x) {
  if (activation.kind == Activation::relu) reluForward(&x, 1);
  if (activation.kind == Activation::leakyRelu) leakyReluForward(activation.slope, &x, 1);
  if (activation.kind == Activation::silu) siluForward(&x, 1);
  return x;
}

TEST_P(Kernel, AddBiasActivatesAndKeepsTheSums) {
  for (const int rows : oddSizes) {
    for (const ActivationFunction activation : activations) {
      PanelMatrix before(kernels(), rows, width(), 4), x(kernels(), rows, width(), 4), linear(kernels(), rows, width());
      const auto numbers = randomMatrix(1, rows, 5);
      const std::vector<float> bias(numbers.begin(), numbers.end());
      kernels().addBias(bias.data(), rows, activation, x.data(), linear.data());
      for (int r = 0; r < rows; ++r) {
        for (int c = 0; c < width(); ++c) {
          ASSERT_EQ(linear.at(r, c), before.at(r, c) + bias[r]);
          ASSERT_NEAR(x.at(r, c), activated(activation, linear.at(r, c)), 1e-6);
        }
      }
      kernels().addBias(bias.data(), rows, activation, before.data(), nullptr);
      for (int r = 0; r < rows; ++r) ASSERT_EQ(before.at(r, 0), x.at(r, 0));
    }
  }
}

TEST_P(Kernel, ActivateBackwardMultipliesByTheDerivative) {
  for (const int rows : oddSizes) {
    for (const ActivationFunction activation : activations) {
      PanelMatrix input(kernels(), rows, width(), 4), output(kernels(), rows, width());
      PanelMatrix before(kernels(), rows, width(), 6), gradient(kernels(), rows, width(), 6);
      for (int r = 0; r < rows; ++r) {
        input.at(r, 0) *= 40;  // saturates SiLU's sigmoid in both directions
        for (int c = 0; c < width(); ++c) output.at(r, c) = activated(activation, input.at(r, c));
      }
      kernels().activateBackward(activation, input.data(), output.data(), rows, gradient.data());
      for (int r = 0; r < rows; ++r) {
        for (int c = 0; c < width(); ++c) {
          float expected = before.at(r, c);
          if (activation.kind == Activation::relu) reluBackward(&output.at(r, c), &expected, 1);
          if (activation.kind == Activation::leakyRelu) {
            leakyReluBackward(activation.slope, &output.at(r, c), &expected, 1);
          }
          if (activation.kind == Activation::silu) siluBackward(&input.at(r, c), &expected, 1);
          ASSERT_NEAR(gradient.at(r, c), expected, 2e-6);
        }
      }
    }
  }
}

TEST_P(Kernel, BatchNormActivatesInTrainingAndInference) {
  for (const int rows : oddSizes) {
    for (const ActivationFunction activation : activations) {
      PanelMatrix x(kernels(), rows, width(), 4), before(kernels(), rows, width(), 4);
      PanelMatrix scaled(kernels(), rows, width()), out(kernels(), rows, width());
      const auto numbers = randomMatrix(4, rows, 7);
      const std::vector<float> all(numbers.begin(), numbers.end());
      const float *mean = all.data(), *inverse = mean + rows, *gamma = inverse + rows, *beta = gamma + rows;
      kernels().normalise(mean, inverse, gamma, beta, rows, activation, x.data(), scaled.data(), out.data());
      for (int r = 0; r < rows; ++r) {
        for (int c = 0; c < width(); ++c) {
          ASSERT_NEAR(x.at(r, c), (before.at(r, c) - mean[r]) * inverse[r], 1e-5);
          ASSERT_NEAR(scaled.at(r, c), x.at(r, c) * gamma[r] + beta[r], 1e-5);
          ASSERT_NEAR(out.at(r, c), activated(activation, scaled.at(r, c)), 2e-6);
        }
      }
      kernels().scaleShift(gamma, beta, rows, activation, before.data());
      PanelMatrix again(kernels(), rows, width(), 4);
      for (int r = 0; r < rows; ++r) {
        for (int c = 0; c < width(); ++c) {
          ASSERT_NEAR(before.at(r, c), activated(activation, again.at(r, c) * gamma[r] + beta[r]), 1e-5);
        }
      }
    }
  }
}

TEST_P(Kernel, TransposeAndSumsLeaveOutWhatIsNotThere) {
  for (const int rows : oddSizes) {
    for (const int columns : oddSizes) {
      PanelMatrix x(kernels(), rows, columns, 6), out(kernels(), columns, rows);
      for (int p = 0; p * width() < columns; ++p) {
        kernels().transpose(x.panel(p), rows, out.data() + static_cast<std::size_t>(p) * width() * width(),
                            out.stride());
      }
      std::vector<float> sums(rows);
      kernels().rowSums(x.data(), x.stride(), rows, columns, sums.data());
      for (int r = 0; r < rows; ++r) {
        double sum = 0;
        for (int c = 0; c < columns; ++c) {
          EXPECT_EQ(out.at(c, r), x.at(r, c));
          sum += x.at(r, c);
        }
        EXPECT_NEAR(sums[r], sum, 1e-5);
      }
      sums.assign(columns, 0);
      kernels().columnSums(x.data(), x.stride(), rows, columns, sums.data());
      for (int c = 0; c < columns; ++c) {
        double sum = 0;
        for (int r = 0; r < rows; ++r) sum += x.at(r, c);
        EXPECT_NEAR(sums[c], sum, 1e-5);
      }
    }
  }
}

}  // namespace
}  // namespace eigenae
