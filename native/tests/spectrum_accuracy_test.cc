// Compares singular values and gradients with those of a plain SVD in double, for many condition numbers, ranks and
// widths.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "../core/instruction_set.h"
#include "eigen_loss_cases.h"

namespace eigenae {
namespace {

using testing::EigenLossCase;
using testing::Matrix;
using testing::matrixWithSingularValues;
using testing::oneSidedJacobi;
using testing::randomMatrix;
using testing::relativeDistance;
using testing::spectrumCases;
using testing::Svd;

// Returns Σ f′ᵢ uᵢ vᵢᵀ for f(σ) from an SVD that never forms ZᵀZ.
Matrix expectedGradient(const Matrix& z, int batch, int width, const Tape& formula) {
  const Svd svd = oneSidedJacobi(z, batch, width);
  const AlignedDoubles scratch = alignedDoubles(formula.scratchSize);
  beginFormula(formula, batch, scratch.get());
  std::copy(svd.values.begin(), svd.values.end(), scratch.get() + formula.input(FormulaInput::sigma));
  const std::int32_t stop = 0;
  chosenInstructionSet().kernels->runFormula(formula.code.data(), formula.instructions(), scratch.get(), &stop);
  const double* derivatives = scratch.get() + formula.derivative(FormulaInput::sigma);
  Matrix gradient(z.size(), 0.0);
  for (int b = 0; b < batch; ++b) {
    for (int j = 0; j < width; ++j) {
      for (int i = 0; i < width; ++i) {
        gradient[b * width + j] += derivatives[i] * svd.left[b * width + i] * svd.right[j * width + i];
      }
    }
  }
  return gradient;
}

// Σσ. Its gradient UVᵀ is also defined for equal singular values and weighs all directions equally.
Tape nuclearNorm(int width) { return testing::tapeNamed("nuclear-norm", width); }

void addNuclearNormGradient(const Matrix& z, int batch, int width, bool center, Matrix& gradient) {
  eigenLossOf(z.data(), batch, width, nuclearNorm(width), center, 1, gradient.data());
}

Matrix matrixOfRank(int rank, int batch, int width) {
  const Matrix left = randomMatrix(batch, rank, 18), right = randomMatrix(rank, width, 19);
  Matrix z(static_cast<std::size_t>(batch) * width, 0.0);
  for (int b = 0; b < batch; ++b) {
    for (int k = 0; k < rank; ++k) {
      for (int i = 0; i < width; ++i) z[b * width + i] += left[b * rank + k] * right[k * width + i];
    }
  }
  return z;
}

TEST(SingularValues, OfAnyWidthEqualThoseOfAPlainSvd) {
  for (const auto& [batch, width] : {std::pair{5, 1}, {3, 2}, {17, 13}, {40, 33}, {150, 131}}) {
    const Matrix z = randomMatrix(batch, width, 16);
    const std::vector<double> expected = oneSidedJacobi(z, batch, width).values;
    const std::vector<double> values = singularValues(z.data(), batch, width);
    for (int i = 0; i < width; ++i) EXPECT_NEAR(values[i] / expected[i], 1, 1e-11) << batch << " × " << width;
  }
}

TEST(SingularValues, OfALowRankAreExactBesideTheLargest) {
  constexpr int batch = 90, width = 64, rank = 12;
  const Matrix z = matrixOfRank(rank, batch, width);
  const std::vector<double> expected = oneSidedJacobi(z, batch, width).values;
  const std::vector<double> values = singularValues(z.data(), batch, width);
  for (int i = 0; i < width; ++i) EXPECT_NEAR(values[i], expected[i], 1e-13 * expected[0]);
}

TEST(NuclearNorm, OfAnyWidthHasTheGradientOfAPlainSvd) {
  for (const auto& [batch, width] : {std::pair{5, 1}, {3, 2}, {17, 13}, {40, 33}, {150, 131}}) {
    const Matrix z = randomMatrix(batch, width, 17);
    Matrix gradient(z.size(), 0.0);
    addNuclearNormGradient(z, batch, width, false, gradient);
    EXPECT_LT(relativeDistance(gradient, expectedGradient(z, batch, width, nuclearNorm(width))), 1e-10);
  }
}

double squaredLength(const Matrix& x) { return std::inner_product(x.begin(), x.end(), x.begin(), 0.0); }

Matrix roundedToFloat(Matrix z) {
  for (double& value : z) value = static_cast<float>(value);
  return z;
}

// The squared length of UVᵀ is the number of directions that contribute.
double directionsOf(const Matrix& z, int batch, bool center = false) {
  Matrix gradient(z.size(), 0.0);
  const int width = static_cast<int>(z.size()) / batch;
  addNuclearNormGradient(z, batch, width, center, gradient);
  return squaredLength(gradient);
}

TEST(NuclearNorm, OfCodesOfALowRankHasNoGradientWhereTheyAreRoundingAlone) {
  EXPECT_NEAR(directionsOf(roundedToFloat(matrixOfRank(12, 90, 64)), 90), 12, 1e-9);
}

TEST(NuclearNorm, OfCodesFarFromZeroHasNoGradientWhereTheyAreRoundingAlone) {
  for (const double mean : {10.0, 100.0}) {
    Matrix z = matrixOfRank(12, 90, 64);
    for (std::size_t i = 0; i < z.size(); ++i) z[i] += mean * static_cast<double>(1 + i % 64 % 5);
    z = roundedToFloat(z);
    EXPECT_NEAR(directionsOf(z, 90), 13, 1e-9) << mean;
    EXPECT_NEAR(directionsOf(z, 90, true), 12, 1e-9) << mean;
  }
}

// Returns an embedding as a layer computes it: float sums of ReLU features of different sizes, plus a bias.
TEST(NuclearNorm, OfWhatALayerMakesHasAGradientInAsManyDirectionsAsFeaturesAndABias) {
  constexpr int batch = 256, width = 64, features = 12;
  for (const std::uint32_t seed : {30, 31, 32, 33, 34}) {
    const Matrix before = randomMatrix(batch, features, seed), size = randomMatrix(features, 1, seed + 10);
    const Matrix weight = randomMatrix(width, features + 1, seed + 20);
    Matrix z;
    for (int b = 0; b < batch; ++b) {
      for (int i = 0; i < width; ++i) {
        const double* row = &weight[i * (features + 1)];
        float sum = static_cast<float>(row[features]);
        for (int k = 0; k < features; ++k) {
          const double feature = std::max(0.0, before[b * features + k]) * std::exp(size[k]);
          sum += static_cast<float>(row[k]) * static_cast<float>(feature);
        }
        z.push_back(sum);
      }
    }
    EXPECT_NEAR(directionsOf(z, batch), features + 1, 1e-6) << seed;
  }
}

TEST(NuclearNorm, OfDimensionsOfAnySizeHasAGradientInAllOfThem) {
  constexpr int batch = 40, width = 6;
  Matrix z = randomMatrix(batch, width, 20);
  for (std::size_t i = 0; i < z.size(); ++i) z[i] *= std::pow(10.0, -2.0 * static_cast<double>(i % width));
  EXPECT_NEAR(directionsOf(roundedToFloat(z), batch), width, 1e-9);
}

TEST(NuclearNorm, OfATinyDimensionBesideADependentOneCountsItOnceAndTheOtherNot) {
  constexpr int batch = 40, width = 4;
  for (std::uint32_t seed = 40; seed < 60; ++seed) {
    Matrix z = randomMatrix(batch, width, seed);
    for (int b = 0; b < batch; ++b) {
      double* row = &z[b * width];
      row[3] *= 1e-10;
      row[2] = 0.37 * static_cast<float>(row[0]) + 0.81 * static_cast<float>(row[1]);
    }
    EXPECT_NEAR(directionsOf(roundedToFloat(z), batch), 3, 1e-9) << seed;
  }
}

// Columns at such an acute angle that a rotation hardly makes them orthogonal.
TEST(NuclearNorm, OfNearlyParallelDimensionsHasTheGradientOfAPlainSvd) {
  constexpr int batch = 8, width = 3;
  Matrix z;
  for (int b = 0; b < batch; ++b) {
    const double sign1 = b % 2 == 0 ? 1 : -1, sign2 = b / 2 % 2 == 0 ? 1 : -1, sign3 = b / 4 == 0 ? 1 : -1;
    for (const double value : {sign1, 0.875 * sign1 + 0x1p-17 * sign2, 0.875 * sign1 + 0x1p-17 * sign3}) {
      z.push_back(value);
    }
  }
  Matrix gradient(z.size(), 0.0);
  addNuclearNormGradient(z, batch, width, false, gradient);
  EXPECT_LT(relativeDistance(gradient, expectedGradient(z, batch, width, nuclearNorm(width))), 1e-9);
}

class Conditioning : public ::testing::TestWithParam<double> {
 protected:
  static constexpr int batch = 64, width = 10;

  // Ten singular values in geometric steps from 1 down to 1 / condition.
  Matrix latent() const {
    std::vector<double> values(width);
    for (int i = 0; i < width; ++i) values[i] = std::pow(GetParam(), -static_cast<double>(i) / (width - 1));
    return matrixWithSingularValues(batch, values, 14);
  }
};

INSTANTIATE_TEST_SUITE_P(UpToAMillion, Conditioning, ::testing::Values(1.0, 1e2, 1e4, 1e6));

TEST_P(Conditioning, LeavesEverySingularValueAccurate) {
  const Matrix z = latent();
  const std::vector<double> expected = oneSidedJacobi(z, batch, width).values;
  const std::vector<double> values = singularValues(z.data(), batch, width);
  for (int i = 0; i < width; ++i) EXPECT_NEAR(values[i] / expected[i], 1, 1e-9);
}

TEST_P(Conditioning, LeavesTheGradientAccurateInEveryDirection) {
  const Matrix z = latent();
  Matrix gradient(z.size(), 0.0);
  addNuclearNormGradient(z, batch, width, false, gradient);
  EXPECT_LT(relativeDistance(gradient, expectedGradient(z, batch, width, nuclearNorm(width))), 1e-9);
}

TEST_P(Conditioning, LeavesTheEigenLossesGradientsAccurate) {
  if (GetParam() == 1) GTEST_SKIP() << "the gradient is not defined for equal singular values";
  const Matrix z = latent();
  for (const EigenLossCase& eigenLoss : spectrumCases()) {
    if (eigenLoss.center) continue;
    Matrix gradient;
    evaluate(eigenLoss, z, batch, gradient);
    const Matrix expected = expectedGradient(z, batch, width, eigenLoss.formula(width));
    EXPECT_LT(relativeDistance(gradient, expected), 1e-9) << eigenLoss.kind;
  }
}

}  // namespace
}  // namespace eigenae
