// Matrices for the tests, and a one-sided Jacobi SVD to compare with. All matrices are row-major.
#pragma once

#include <cstdint>
#include <vector>

namespace eigenae::testing {

using Matrix = std::vector<double>;

// Returns standard normal numbers [rows][columns].
Matrix randomMatrix(int rows, int columns, std::uint32_t seed);

// Returns a matrix [rows][width] with the given singular values and random singular vectors.
Matrix matrixWithSingularValues(int rows, const std::vector<double>& singularValues, std::uint32_t seed);

struct Svd {
  std::vector<double> values;  // largest first
  Matrix left;                 // U [rows][width]
  Matrix right;                // V [width][width]
};

// Computes the SVD by Hestenes' method, which never forms ZᵀZ and is accurate for every singular value.
Svd oneSidedJacobi(const Matrix& z, int rows, int width);

// Returns |a − b| / |b| in the Frobenius norm.
double relativeDistance(const Matrix& a, const Matrix& b);

}  // namespace eigenae::testing
