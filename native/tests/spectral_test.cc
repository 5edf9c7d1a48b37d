#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>

#include "eigen_loss_cases.h"

namespace eigenae {
namespace {

using testing::allZero;
using testing::EigenLossCase;
using testing::evaluate;
using testing::Matrix;
using testing::matrixWithSingularValues;
using testing::randomMatrix;
using testing::relativeDistance;

class SpectralEigenLoss : public ::testing::TestWithParam<EigenLossCase> {};

INSTANTIATE_TEST_SUITE_P(EveryKind, SpectralEigenLoss, ::testing::ValuesIn(testing::spectrumCases()),
                         testing::caseName);

TEST_P(SpectralEigenLoss, WithADeadDimensionEqualsTheOneWithoutIt) {
  const Matrix z = randomMatrix(20, 3, 4);
  Matrix widened(20 * 4, 0.0), gradient, widenedGradient;
  for (int b = 0; b < 20; ++b) std::copy_n(&z[b * 3], 3, &widened[b * 4]);
  const double added = GetParam().hasLogOfWidth ? std::log(4.0) - std::log(3.0) : 0;
  EXPECT_NEAR(evaluate(GetParam(), widened, 20, widenedGradient), evaluate(GetParam(), z, 20, gradient) + added, 1e-14);
  for (int b = 0; b < 20; ++b) {
    for (int i = 0; i < 3; ++i) EXPECT_NEAR(widenedGradient[b * 4 + i], gradient[b * 3 + i], 1e-14);
  }
}

TEST_P(SpectralEigenLoss, OfZerosIsZeroWithoutGradient) {
  const Matrix z(20 * 4, 0.0);
  Matrix gradient;
  EXPECT_EQ(evaluate(GetParam(), z, 20, gradient), 0);
  EXPECT_TRUE(allZero(gradient));
}

TEST_P(SpectralEigenLoss, DoesNotChangeWithTheScaleOfTheEmbedding) {
  const Matrix z = randomMatrix(20, 4, 10);
  Matrix gradient, scaled = z;
  for (double& value : scaled) value *= 1e-12;
  EXPECT_NEAR(evaluate(GetParam(), scaled, 20, gradient), evaluate(GetParam(), z, 20, gradient), 1e-13);
}

TEST(CenteredEigenLoss, IgnoresAShiftAndHasAGradientWithoutMean) {
  const EigenLossCase eigenLoss{"top-k", 2, true};
  const Matrix z = randomMatrix(20, 4, 11);
  Matrix shifted = z, gradient;
  for (double& value : shifted) value += 5;
  EXPECT_NEAR(evaluate(eigenLoss, shifted, 20, gradient), evaluate(eigenLoss, z, 20, gradient), 1e-13);
  for (int i = 0; i < 4; ++i) {
    double sum = 0;
    for (int b = 0; b < 20; ++b) sum += gradient[b * 4 + i];
    EXPECT_NEAR(sum, 0, 1e-15);
  }
}

TEST(TopKEigenLoss, IsTheShareOfTheLargestSingularValues) {
  Matrix gradient;
  const Matrix z = matrixWithSingularValues(20, {4, 3, 2, 1}, 12);
  EXPECT_NEAR(evaluate({"top-k", 2}, z, 20, gradient), 0.7, 1e-14);
}

TEST(LogMaxEigenLoss, IsTheLogarithmOfTheLargestEigenvaluesShare) {
  Matrix gradient;
  const Matrix z = matrixWithSingularValues(20, {4, 3, 2, 1}, 13);
  EXPECT_NEAR(evaluate({"log-max"}, z, 20, gradient), std::log(16.0 / 30), 1e-14);
}

TEST(EntropyEigenLoss, IsTheLogarithmOfTheWidthOverTheEffectiveRank) {
  Matrix gradient;
  const Matrix flat = matrixWithSingularValues(20, {2, 2, 2, 2}, 16),
               z = matrixWithSingularValues(20, {4, 2, 1, 1}, 17);
  EXPECT_NEAR(evaluate({"entropy"}, flat, 20, gradient), 0, 1e-14);
  const double entropy = -(0.5 * std::log(0.5) + 0.25 * std::log(0.25) + 2 * 0.125 * std::log(0.125));
  EXPECT_NEAR(evaluate({"entropy"}, z, 20, gradient), std::log(4) - entropy, 1e-14);
}

}  // namespace
}  // namespace eigenae
