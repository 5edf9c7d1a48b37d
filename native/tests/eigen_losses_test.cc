// Properties that every eigen loss has, whatever its formula.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "eigen_loss_cases.h"

namespace eigenae {
namespace {

using testing::allFinite;
using testing::allZero;
using testing::EigenLossCase;
using testing::eigenLossCases;
using testing::evaluate;
using testing::Matrix;
using testing::matrixWithSingularValues;
using testing::randomMatrix;
using testing::relativeDistance;
using testing::TapeRow;

class EveryEigenLoss : public ::testing::TestWithParam<EigenLossCase> {};

INSTANTIATE_TEST_SUITE_P(EveryKind, EveryEigenLoss, ::testing::ValuesIn(eigenLossCases), testing::caseName);

// Returns the distance of some elements of the gradient from central differences: of all, if there are few.
double distanceFromDifferences(const EigenLossCase& eigenLoss, Matrix z, int batch, std::size_t most = 1000) {
  const double step = 1e-5;
  Matrix gradient, some, differences, ignored;
  evaluate(eigenLoss, z, batch, gradient);
  for (std::size_t k = 0; k < std::min(most, z.size()); ++k) {
    const std::size_t i = k * 7919 % z.size();  // 7919 is a prime
    const double kept = z[i];
    z[i] = kept + step;
    const double above = evaluate(eigenLoss, z, batch, ignored);
    z[i] = kept - step;
    differences.push_back((above - evaluate(eigenLoss, z, batch, ignored)) / (2 * step));
    some.push_back(gradient[i]);
    z[i] = kept;
  }
  return relativeDistance(some, differences);
}

TEST_P(EveryEigenLoss, GradientEqualsCentralDifferences) {
  for (const auto& [batch, width] : {std::pair{5, 3}, {7, 4}, {11, 10}, {64, 10}, {33, 17}}) {
    const Matrix z = randomMatrix(batch, width, 100 * batch + width);
    EXPECT_LT(distanceFromDifferences(GetParam(), z, batch), 1e-7) << batch << " × " << width;
  }
}

TEST_P(EveryEigenLoss, NeedsNoMoreImagesThanDimensionsUnlessItIsOfTheSpectrum) {
  if (GetParam().formula(3).uses(FormulaInput::sigma)) GTEST_SKIP() << "the gradient is not defined for zeros of σ";
  for (const auto& [batch, width] : {std::pair{5, 9}, {8, 8}, {2, 17}}) {
    const Matrix z = randomMatrix(batch, width, 100 * batch + width);
    EXPECT_LT(distanceFromDifferences(GetParam(), z, batch), 1e-6) << batch << " × " << width;
  }
}

TEST_P(EveryEigenLoss, GradientIsScaledByTheWeight) {
  const Matrix z = randomMatrix(16, 4, 1);
  Matrix once, thrice;
  evaluate(GetParam(), z, 16, once);
  evaluate(GetParam(), z, 16, thrice, 3);
  for (double& value : once) value *= 3;
  EXPECT_LT(relativeDistance(thrice, once), 1e-14);
}

TEST_P(EveryEigenLoss, GradientIsAddedToWhatIsThere) {
  const Matrix z = randomMatrix(16, 4, 2);
  Matrix alone;
  evaluate(GetParam(), z, 16, alone);
  Matrix added(z.size(), 1.0);
  eigenLossOf(z.data(), 16, 4, GetParam().formula(4), GetParam().center, 1, added.data());
  for (std::size_t i = 0; i < z.size(); ++i) EXPECT_DOUBLE_EQ(added[i], alone[i] + 1);
}

TEST_P(EveryEigenLoss, OfADeadDimensionIsFiniteAndLeavesItAlone) {
  Matrix z = randomMatrix(20, 4, 3), gradient;
  for (int b = 0; b < 20; ++b) z[b * 4 + 2] = 0;
  EXPECT_TRUE(std::isfinite(evaluate(GetParam(), z, 20, gradient)));
  for (int b = 0; b < 20; ++b) EXPECT_EQ(gradient[b * 4 + 2], 0);
  EXPECT_TRUE(allFinite(gradient));
  EXPECT_FALSE(allZero(gradient));
}

TEST_P(EveryEigenLoss, OfTwoEqualSingularValuesIsFinite) {
  const Matrix z = matrixWithSingularValues(20, {3, 3, 1, 1, 0.5}, 5);
  Matrix gradient;
  EXPECT_TRUE(std::isfinite(evaluate(GetParam(), z, 20, gradient)));
  EXPECT_TRUE(allFinite(gradient));
}

TEST_P(EveryEigenLoss, OfRankOneIsFinite) {
  const Matrix column = randomMatrix(20, 1, 6), row = randomMatrix(1, 4, 7);
  Matrix z(20 * 4), gradient;
  for (int b = 0; b < 20; ++b) {
    for (int i = 0; i < 4; ++i) z[b * 4 + i] = column[b] * row[i];
  }
  EXPECT_TRUE(std::isfinite(evaluate(GetParam(), z, 20, gradient)));
  EXPECT_TRUE(allFinite(gradient));
}

TEST_P(EveryEigenLoss, OfOneNonZeroElementIsFinite) {
  Matrix z(20 * 4, 0.0), gradient;
  z[5] = 1e-30;
  EXPECT_TRUE(std::isfinite(evaluate(GetParam(), z, 20, gradient)));
  EXPECT_TRUE(allFinite(gradient));
}

TEST_P(EveryEigenLoss, OfCodesThatAreAllTheSameIsFinite) {
  const Matrix row = randomMatrix(1, 4, 8);
  Matrix z, gradient;
  for (int b = 0; b < 20; ++b) z.insert(z.end(), row.begin(), row.end());
  EXPECT_TRUE(std::isfinite(evaluate(GetParam(), z, 20, gradient)));
  EXPECT_TRUE(allFinite(gradient));
}

TEST_P(EveryEigenLoss, IsNaNIfAnElementIsNotFinite) {
  for (const double value : {std::nan(""), double{INFINITY}}) {
    for (const int index : {4, 7}) {  // in the first and in the last dimension
      Matrix z = randomMatrix(20, 4, 9), gradient;
      z[index] = value;
      EXPECT_TRUE(std::isnan(evaluate(GetParam(), z, 20, gradient)));
    }
  }
}

class EveryInstruction : public ::testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Formulas, EveryInstruction, ::testing::Values("units", "matrices", "determinants", "spectrum"),
                         [](const auto& info) { return info.param; });

TEST_P(EveryInstruction, HasTheDerivativesOfDifferences) {
  const EigenLossCase formula{.kind = GetParam()};
  for (const auto& [batch, width] :
       {std::pair{5, 1}, {7, 2}, {23, 10}, {129, 64}, {131, 128}, {3, 10}, {9, 10}, {33, 64}, {65, 128}}) {
    if (batch <= width && formula.formula(width).uses(FormulaInput::sigma)) continue;
    const Matrix z = randomMatrix(batch, width, 100 * batch + width);
    EXPECT_LT(distanceFromDifferences(formula, z, batch, 20), 1e-6) << batch << " × " << width;
  }
}

TEST(Tape, IsRefusedIfAnInstructionLeavesTheScratch) {
  const TapeRow& row = testing::tapeRows[testing::tapeRowCount - 1];
  std::vector<std::uint32_t> words(testing::tapeWords + row.words, testing::tapeWords + row.words + row.wordCount);
  const double* constants = testing::tapeConstants + row.constants;
  EXPECT_NO_THROW(decodeTape(words.data(), words.size(), constants, row.constantCount, row.width));
  EXPECT_THROW(decodeTape(words.data(), words.size(), constants, row.constantCount, row.width + 1),
               std::invalid_argument);
  words[0] = 3;
  EXPECT_THROW(decodeTape(words.data(), words.size(), constants, row.constantCount, row.width), std::invalid_argument);
}

}  // namespace
}  // namespace eigenae
