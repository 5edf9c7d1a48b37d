// Values of the eigen losses on means, variances and covariances, and the matrix operations behind them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "../core/columns.h"
#include "../formulas/execute.h"
#include "eigen_loss_cases.h"
#include "kernel_fixture.h"

namespace eigenae {
namespace {

using testing::allFinite;
using testing::EigenLossCase;
using testing::KernelTest;
using testing::Matrix;
using testing::matrixWithSingularValues;
using testing::randomMatrix;

const EigenLossCase logDet{"log-det", 0.01}, klNormal{"kl-normal", 0.01}, klDiagonal{"kl-diagonal", 0.01},
    variance{"variance"}, covariance{"covariance"}, decorrelation{"decorrelation"};

double valueOf(const EigenLossCase& eigenLoss, const Matrix& z, int batch) {
  Matrix gradient;
  return evaluate(eigenLoss, z, batch, gradient);
}

// Four images of two uncorrelated features with the given means and deviations.
Matrix crossOf(double mean1, double deviation1, double mean2, double deviation2) {
  Matrix z;
  for (const double sign1 : {-1, 1}) {
    for (const double sign2 : {-1, 1}) z.insert(z.end(), {mean1 + sign1 * deviation1, mean2 + sign2 * deviation2});
  }
  return z;
}

// Four images of two features with a correlation of 0.6, means of 0 and the given deviations.
Matrix correlated(double deviation1, double deviation2) {
  Matrix z = crossOf(0, 1, 0, 1);
  for (int b = 0; b < 4; ++b) z[2 * b + 1] = deviation2 * (0.6 * z[2 * b] + 0.8 * z[2 * b + 1]);
  for (int b = 0; b < 4; ++b) z[2 * b] *= deviation1;
  return z;
}

TEST(LogDetEigenLoss, IsTheMeanLogarithmOfTheEigenvalues) {
  const Matrix z = matrixWithSingularValues(20, {4, 3, 2, 1}, 51);
  double sum = 0;
  for (const double sigma : {4, 3, 2, 1}) sum += std::log(sigma * sigma / 20 + 0.01);
  EXPECT_NEAR(valueOf(logDet, z, 20), -sum / 4, 1e-13);
}

TEST(LogDetEigenLoss, IsThatOfEpsilonInADeadDimension) {
  Matrix z = matrixWithSingularValues(20, {1}, 52), widened(40, 0.0);
  for (int b = 0; b < 20; ++b) widened[2 * b] = z[b];
  EXPECT_NEAR(valueOf(logDet, widened, 20), -(std::log(1.0 / 20 + 0.01) + std::log(0.01)) / 2, 1e-13);
}

TEST(LogDetEigenLoss, SeesTheMeanUnlessItIsCentred) {
  const EigenLossCase centred{"log-det", 0.01, true};
  const Matrix z = crossOf(3, 1, 0, 2);
  EXPECT_NEAR(valueOf(logDet, z, 4), -(std::log(10.01) + std::log(4.01)) / 2, 1e-14);
  EXPECT_NEAR(valueOf(centred, z, 4), -(std::log(1.01) + std::log(4.01)) / 2, 1e-14);
}

TEST(KlNormalEigenLoss, IsNearZeroForStandardisedFeatures) {
  EXPECT_NEAR(valueOf(klNormal, crossOf(0, 1, 0, 1), 4), -std::log(1.01) / 2, 1e-14);
}

TEST(KlNormalEigenLoss, EqualsTheDiagonalOneIfTheFeaturesAreUncorrelated) {
  const Matrix z = crossOf(0.3, 0.5, -1, 2);
  EXPECT_NEAR(valueOf(klNormal, z, 4), valueOf(klDiagonal, z, 4), 1e-14);
}

TEST(KlNormalEigenLoss, ExceedsTheDiagonalOneByTheMutualInformation) {
  const Matrix z = correlated(1, 2);
  const double information = -0.5 * std::log(1 - 0.6 * 0.6);
  EXPECT_NEAR(valueOf({"kl-normal", 1e-12}, z, 4) - valueOf({"kl-diagonal", 1e-12}, z, 4), information / 2, 1e-10);
}

TEST(KlDiagonalEigenLoss, IsTheDivergenceOfEachFeatureFromTheStandardNormal) {
  const double first = 0.3 * 0.3 + 0.25 - 1 - std::log(0.26), second = 1 + 4 - 1 - std::log(4.01);
  EXPECT_NEAR(valueOf(klDiagonal, crossOf(0.3, 0.5, -1, 2), 4), (first + second) / 4, 1e-14);
}

TEST(KlDiagonalEigenLoss, OfOneImageIsFinite) {
  Matrix gradient;
  EXPECT_TRUE(std::isfinite(evaluate(klDiagonal, {1, -2, 0}, 1, gradient)));
  EXPECT_TRUE(allFinite(gradient));
}

TEST(VarianceEigenLoss, IsTheMeanShortfallOfTheUnbiasedDeviations) {
  const double unbiased = 0.09 * 4 / 3;
  EXPECT_NEAR(valueOf(variance, crossOf(7, 0.3, 0, 2), 4), (1 - std::sqrt(unbiased + 1e-4)) / 2, 1e-14);
}

TEST(CovarianceEigenLoss, IsTheSumOfSquaredUnbiasedCovariances) {
  const double unbiased = 0.6 * 1 * 2 * 4 / 3;
  EXPECT_NEAR(valueOf(covariance, correlated(1, 2), 4), 2 * unbiased * unbiased / 2, 1e-14);
  EXPECT_NEAR(valueOf(covariance, crossOf(1, 2, 3, 4), 4), 0, 1e-28);
}

TEST(DecorrelationEigenLoss, IsTheSumOfSquaredCorrelations) {
  EXPECT_NEAR(valueOf(decorrelation, correlated(100, 200), 4), 2 * 0.6 * 0.6, 1e-8);
}

class SymmetricMatrices : public KernelTest {};

EIGENAE_EVERY_INSTRUCTION_SET(SymmetricMatrices);

AlignedDoubles columnsOf(const Matrix& matrix, int rows, int width) {
  AlignedDoubles columns = alignedDoubles(width * columnStride(rows));
  for (int r = 0; r < rows; ++r) {
    for (int i = 0; i < width; ++i) columns[i * columnStride(rows) + r] = matrix[r * width + i];
  }
  return columns;
}

TEST_P(SymmetricMatrices, AreProductsOfColumns) {
  const std::int32_t stop = 0;
  for (const auto& [width, rows] : testing::shapes()) {
    const Matrix matrix = randomMatrix(rows, width, 53);
    const std::size_t stride = columnStride(width);
    const AlignedDoubles columns = columnsOf(matrix, rows, width), product = alignedDoubles(width * stride);
    kernels().multiplyColumns(columns.get(), columnStride(rows), width, false, 0.5, product.get(), stride, &stop);
    for (int i = 0; i < width; ++i) {
      for (int j = 0; j < width; ++j) {
        double sum = 0;
        for (int r = 0; r < rows; ++r) sum += 0.5 * matrix[r * width + i] * matrix[r * width + j];
        ASSERT_NEAR(product[i * stride + j], sum, 1e-12) << width << " × " << rows;
        ASSERT_EQ(product[i * stride + j], product[j * stride + i]);
      }
    }
  }
}

TEST_P(SymmetricMatrices, OfRowsOfFloatsHaveTheSameBitsInEveryInstructionSet) {
  for (const auto& [width, rows] : testing::shapes()) {
    const Matrix values = randomMatrix(rows, width, 54);
    const std::size_t stride = roundUp(width, 16);
    const AlignedDoubles matrix = alignedDoubles(rows * stride), gram = alignedDoubles(stride * stride);
    for (int r = 0; r < rows; ++r) {
      for (int i = 0; i < width; ++i) matrix[r * stride + i] = static_cast<float>(values[r * width + i]);
    }
    const int first = rows / 3;
    kernels().addGram(matrix.get(), stride, first, gram.get());
    kernels().addGram(matrix.get() + first * stride, stride, rows - first, gram.get());
    for (int i = 0; i < width; ++i) {
      for (int j = 0; j <= i; ++j) {
        double sum = 0;
        for (int r = 0; r < rows; ++r) sum += matrix[r * stride + i] * matrix[r * stride + j];
        ASSERT_EQ(gram[i * stride + j], sum) << width << " × " << rows;
      }
    }
  }
}

// Computes ln det(matrix + shift · I) and the inverse of matrix + shift · I by the instructions of a tape.
struct Determinant {
  double logarithm;
  std::vector<double> inverse;

  Determinant(const Kernels& kernels, const Matrix& matrix, int width, double shift) {
    const int size = width * width, result = size + 8 - size % 8, factor = result + size + 8 - size % 8;
    const AlignedDoubles scratch = alignedDoubles(factor + formula::factorSize(width));
    const int shiftAt = size, logarithmAt = size + 1;
    std::copy(matrix.begin(), matrix.end(), scratch.get());
    scratch[shiftAt] = shift;
    const int code[] = {formula::cholesky,       width, factor,      0,      1, shiftAt, 0,
                        formula::logDeterminant, width, logarithmAt, factor, 1, factor,  1,
                        formula::inverse,        width, result,      factor, 1, factor,  1};
    const std::int32_t stop = 0;
    kernels.runFormula(code, 3, scratch.get(), &stop);
    logarithm = scratch[logarithmAt];
    inverse.assign(scratch.get() + result, scratch.get() + result + size);
  }
};

// A positive definite matrix (rank = width), one of low rank, and one that is 0 but for epsilon.
TEST_P(SymmetricMatrices, AreInverted) {
  const double epsilon = 0.01;
  for (const int width : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33, 64, 70}) {
    for (const int rank : {0, 1, (width + 1) / 2, width + 3}) {
      const Matrix root = randomMatrix(rank, width, 54 + width);
      Matrix matrix(width * width, 0.0);
      for (int i = 0; i < width; ++i) {
        for (int j = 0; j < width; ++j) {
          for (int r = 0; r < rank; ++r) matrix[i * width + j] += root[r * width + i] * root[r * width + j];
        }
      }
      const Determinant determinant(kernels(), matrix, width, epsilon);
      const std::vector<double>& inverse = determinant.inverse;
      for (int i = 0; i < width; ++i) {
        for (int j = 0; j < width; ++j) {
          double sum = epsilon * inverse[i * width + j];
          for (int k = 0; k < width; ++k) sum += matrix[i * width + k] * inverse[k * width + j];
          ASSERT_NEAR(sum, i == j ? 1 : 0, 1e-9) << width << " of rank " << rank;
          ASSERT_EQ(inverse[i * width + j], inverse[j * width + i]);
        }
      }
      double expected = (width - std::min(rank, width)) * std::log(epsilon);
      if (rank > 0) {
        Matrix padded = root;  // oneSidedJacobi needs as many rows as columns
        padded.resize(std::max(rank, width) * width);
        const std::vector<double> values = testing::oneSidedJacobi(padded, std::max(rank, width), width).values;
        for (int i = 0; i < std::min(rank, width); ++i) expected += std::log(values[i] * values[i] + epsilon);
      }
      ASSERT_NEAR(determinant.logarithm, expected, 1e-9 * width) << width << " of rank " << rank;
    }
  }
}

// Rounding errors of the elements are as large as epsilon here.
TEST_P(SymmetricMatrices, AreInvertedToFiniteOnesIfRoundingErrorsExceedEpsilon) {
  constexpr int width = 24;
  const Matrix root = randomMatrix(1, width, 55);
  Matrix matrix(width * width);
  for (int i = 0; i < width; ++i) {
    for (int j = 0; j < width; ++j) matrix[i * width + j] = 1e8 * root[i] * root[j];
  }
  const Determinant determinant(kernels(), matrix, width, 1e-8);
  EXPECT_GE(determinant.logarithm, width * std::log(0.999e-8));
  EXPECT_TRUE(allFinite(determinant.inverse));
}

}  // namespace
}  // namespace eigenae
