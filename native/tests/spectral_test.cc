#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>

#include "eigen_loss_cases.h"

namespace eigenae {
namespace {

using testing::EigenLossCase;
using testing::eigenLossCases;
using testing::Matrix;
using testing::matrixWithSingularValues;
using testing::randomMatrix;
using testing::relativeDistance;

class SpectralEigenLoss : public ::testing::TestWithParam<EigenLossCase> {};

std::string caseName(const ::testing::TestParamInfo<EigenLossCase>& info) {
  std::string name = info.param.kind;
  for (const auto& [parameter, value] : info.param.parameters) {
    name += '_' + parameter + std::to_string(static_cast<int>(value));
  }
  std::replace(name.begin(), name.end(), '-', '_');
  return name + (info.param.center ? "_centered" : "");
}

INSTANTIATE_TEST_SUITE_P(EveryKind, SpectralEigenLoss, ::testing::ValuesIn(eigenLossCases), caseName);

Matrix centralDifferences(const EigenLossCase& eigenLoss, Matrix z, int batch) {
  const double step = 1e-5;
  Matrix differences(z.size()), ignored;
  for (std::size_t i = 0; i < z.size(); ++i) {
    const double kept = z[i];
    z[i] = kept + step;
    const double above = eigenLoss(z, batch, ignored);
    z[i] = kept - step;
    differences[i] = (above - eigenLoss(z, batch, ignored)) / (2 * step);
    z[i] = kept;
  }
  return differences;
}

bool allFinite(const Matrix& matrix) {
  return std::all_of(matrix.begin(), matrix.end(), [](double value) { return std::isfinite(value); });
}

bool allZero(const Matrix& matrix) {
  return std::all_of(matrix.begin(), matrix.end(), [](double value) { return value == 0; });
}

TEST_P(SpectralEigenLoss, GradientEqualsCentralDifferences) {
  for (const auto& [batch, width] : {std::pair{5, 3}, {7, 4}, {11, 10}, {64, 10}, {33, 17}}) {
    const Matrix z = randomMatrix(batch, width, 100 * batch + width);
    Matrix gradient;
    GetParam()(z, batch, gradient);
    EXPECT_LT(relativeDistance(gradient, centralDifferences(GetParam(), z, batch)), 1e-7) << batch << " × " << width;
  }
}

TEST_P(SpectralEigenLoss, GradientIsScaledByTheWeight) {
  const Matrix z = randomMatrix(16, 4, 1);
  Matrix once, thrice;
  GetParam()(z, 16, once);
  GetParam()(z, 16, thrice, 3);
  for (double& value : once) value *= 3;
  EXPECT_LT(relativeDistance(thrice, once), 1e-14);
}

TEST_P(SpectralEigenLoss, GradientIsAddedToWhatIsThere) {
  const Matrix z = randomMatrix(16, 4, 2);
  Matrix alone;
  GetParam()(z, 16, alone);
  Matrix added(z.size(), 1.0);
  spectralEigenLoss(z.data(), 16, 4, GetParam().center, findEigenLoss(GetParam().kind), GetParam().parameters, 1,
                    added.data());
  for (std::size_t i = 0; i < z.size(); ++i) EXPECT_DOUBLE_EQ(added[i], alone[i] + 1);
}

TEST_P(SpectralEigenLoss, OfADeadDimensionIsFiniteAndLeavesItAlone) {
  Matrix z = randomMatrix(20, 4, 3), gradient;
  for (int b = 0; b < 20; ++b) z[b * 4 + 2] = 0;
  EXPECT_TRUE(std::isfinite(GetParam()(z, 20, gradient)));
  for (int b = 0; b < 20; ++b) EXPECT_EQ(gradient[b * 4 + 2], 0);
  EXPECT_TRUE(allFinite(gradient));
  EXPECT_FALSE(allZero(gradient));
}

TEST_P(SpectralEigenLoss, WithADeadDimensionEqualsTheOneWithoutIt) {
  const Matrix z = randomMatrix(20, 3, 4);
  Matrix widened(20 * 4, 0.0), gradient, widenedGradient;
  for (int b = 0; b < 20; ++b) std::copy_n(&z[b * 3], 3, &widened[b * 4]);
  const double added = GetParam().hasLogOfWidth ? std::log(4.0) - std::log(3.0) : 0;
  EXPECT_NEAR(GetParam()(widened, 20, widenedGradient), GetParam()(z, 20, gradient) + added, 1e-14);
  for (int b = 0; b < 20; ++b) {
    for (int i = 0; i < 3; ++i) EXPECT_NEAR(widenedGradient[b * 4 + i], gradient[b * 3 + i], 1e-14);
  }
}

TEST_P(SpectralEigenLoss, OfTwoEqualSingularValuesIsFinite) {
  const Matrix z = matrixWithSingularValues(20, {3, 3, 1, 1, 0.5}, 5);
  Matrix gradient;
  EXPECT_TRUE(std::isfinite(GetParam()(z, 20, gradient)));
  EXPECT_TRUE(allFinite(gradient));
}

TEST_P(SpectralEigenLoss, OfRankOneIsFinite) {
  const Matrix column = randomMatrix(20, 1, 6), row = randomMatrix(1, 4, 7);
  Matrix z(20 * 4), gradient;
  for (int b = 0; b < 20; ++b) {
    for (int i = 0; i < 4; ++i) z[b * 4 + i] = column[b] * row[i];
  }
  EXPECT_TRUE(std::isfinite(GetParam()(z, 20, gradient)));
  EXPECT_TRUE(allFinite(gradient));
}

TEST_P(SpectralEigenLoss, OfOneNonZeroElementIsFinite) {
  Matrix z(20 * 4, 0.0), gradient;
  z[5] = 1e-30;
  EXPECT_TRUE(std::isfinite(GetParam()(z, 20, gradient)));
  EXPECT_TRUE(allFinite(gradient));
}

TEST_P(SpectralEigenLoss, OfZerosIsZeroWithoutGradient) {
  const Matrix z(20 * 4, 0.0);
  Matrix gradient;
  EXPECT_EQ(GetParam()(z, 20, gradient), 0);
  EXPECT_TRUE(allZero(gradient));
}

TEST_P(SpectralEigenLoss, OfCodesThatAreAllTheSameIsFinite) {
  const Matrix row = randomMatrix(1, 4, 8);
  Matrix z, gradient;
  for (int b = 0; b < 20; ++b) z.insert(z.end(), row.begin(), row.end());
  EXPECT_TRUE(std::isfinite(GetParam()(z, 20, gradient)));
  EXPECT_TRUE(allFinite(gradient));
}

TEST_P(SpectralEigenLoss, IsNaNIfAnElementIsNotFinite) {
  for (const double value : {std::nan(""), double{INFINITY}}) {
    for (const int index : {4, 7}) {  // in the first and in the last dimension
      Matrix z = randomMatrix(20, 4, 9), gradient;
      z[index] = value;
      EXPECT_TRUE(std::isnan(GetParam()(z, 20, gradient)));
    }
  }
}

TEST_P(SpectralEigenLoss, DoesNotChangeWithTheScaleOfTheEmbedding) {
  const Matrix z = randomMatrix(20, 4, 10);
  Matrix gradient, scaled = z;
  for (double& value : scaled) value *= 1e-12;
  EXPECT_NEAR(GetParam()(scaled, 20, gradient), GetParam()(z, 20, gradient), 1e-13);
}

TEST(CenteredEigenLoss, IgnoresAShiftAndHasAGradientWithoutMean) {
  const EigenLossCase eigenLoss{"top-k", {{"k", 2}}, true};
  const Matrix z = randomMatrix(20, 4, 11);
  Matrix shifted = z, gradient;
  for (double& value : shifted) value += 5;
  EXPECT_NEAR(eigenLoss(shifted, 20, gradient), eigenLoss(z, 20, gradient), 1e-13);
  for (int i = 0; i < 4; ++i) {
    double sum = 0;
    for (int b = 0; b < 20; ++b) sum += gradient[b * 4 + i];
    EXPECT_NEAR(sum, 0, 1e-15);
  }
}

TEST(TopKEigenLoss, IsTheShareOfTheLargestSingularValues) {
  Matrix gradient;
  const Matrix z = matrixWithSingularValues(20, {4, 3, 2, 1}, 12);
  EXPECT_NEAR((EigenLossCase{"top-k", {{"k", 2}}, false}(z, 20, gradient)), 0.7, 1e-14);
}

TEST(TopKEigenLoss, OfAllSingularValuesIsOneWithoutGradient) {
  Matrix gradient;
  EXPECT_EQ((EigenLossCase{"top-k", {{"k", 4}}, false}(randomMatrix(20, 4, 15), 20, gradient)), 1);
  EXPECT_TRUE(allZero(gradient));
}

TEST(LogMaxEigenLoss, IsTheLogarithmOfTheLargestEigenvaluesShare) {
  Matrix gradient;
  const Matrix z = matrixWithSingularValues(20, {4, 3, 2, 1}, 13);
  EXPECT_NEAR((EigenLossCase{"log-max", {}, false}(z, 20, gradient)), std::log(16.0 / 30), 1e-14);
}

TEST(EntropyEigenLoss, IsTheLogarithmOfTheWidthOverTheEffectiveRank) {
  Matrix gradient;
  const Matrix flat = matrixWithSingularValues(20, {2, 2, 2, 2}, 16),
               z = matrixWithSingularValues(20, {4, 2, 1, 1}, 17);
  EXPECT_NEAR((EigenLossCase{"entropy", {}, false}(flat, 20, gradient)), 0, 1e-14);
  const double entropy = -(0.5 * std::log(0.5) + 0.25 * std::log(0.25) + 2 * 0.125 * std::log(0.125));
  EXPECT_NEAR((EigenLossCase{"entropy", {}, false}(z, 20, gradient)), std::log(4) - entropy, 1e-14);
}

TEST(EigenLossTable, RefusesAnUnknownKindByName) {
  try {
    findEigenLoss("top-q");
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("top-q"), std::string::npos);
  }
}

}  // namespace
}  // namespace eigenae
