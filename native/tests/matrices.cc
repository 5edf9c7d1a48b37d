#include "matrices.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "../core/random.h"

namespace eigenae::testing {

namespace {

double columnProduct(const Matrix& matrix, int rows, int width, int first, int second) {
  double sum = 0;
  for (int r = 0; r < rows; ++r) sum += matrix[r * width + first] * matrix[r * width + second];
  return sum;
}

// Returns a matrix [rows][width] with orthonormal columns, by two passes of Gram–Schmidt.
Matrix orthonormalColumns(int rows, int width, std::uint32_t seed) {
  Matrix q = randomMatrix(rows, width, seed);
  for (int c = 0; c < width; ++c) {
    for (int activations = 0; activations < 2; ++activations) {
      for (int previous = 0; previous < c; ++previous) {
        const double product = columnProduct(q, rows, width, previous, c);
        for (int r = 0; r < rows; ++r) q[r * width + c] -= product * q[r * width + previous];
      }
    }
    const double norm = std::sqrt(columnProduct(q, rows, width, c, c));
    for (int r = 0; r < rows; ++r) q[r * width + c] /= norm;
  }
  return q;
}

void rotate(Matrix& matrix, int rows, int width, int p, int q, double cosine, double sine) {
  for (int r = 0; r < rows; ++r) {
    const double first = matrix[r * width + p], second = matrix[r * width + q];
    matrix[r * width + p] = cosine * first - sine * second;
    matrix[r * width + q] = sine * first + cosine * second;
  }
}

}  // namespace

Matrix randomMatrix(int rows, int columns, std::uint32_t seed) {
  Matrix matrix(rows * columns);
  for (int i = 0; i < rows * columns; ++i) matrix[i] = normals(seed, 99, 0, 0, i / 4)[i % 4];
  return matrix;
}

Matrix matrixWithSingularValues(int rows, const std::vector<double>& singularValues, std::uint32_t seed) {
  const int width = static_cast<int>(singularValues.size());
  const Matrix u = orthonormalColumns(rows, width, seed), v = orthonormalColumns(width, width, seed + 1);
  Matrix z(rows * width, 0.0);
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < width; ++c) {
      for (int i = 0; i < width; ++i) z[r * width + c] += u[r * width + i] * singularValues[i] * v[c * width + i];
    }
  }
  return z;
}

Svd oneSidedJacobi(const Matrix& z, int rows, int width) {
  Matrix scaled = z, vectors(width * width, 0.0);
  for (int i = 0; i < width; ++i) vectors[i * width + i] = 1;
  bool rotated = true;
  for (int sweep = 0; rotated && sweep < 60; ++sweep) {
    rotated = false;
    for (int p = 0; p < width; ++p) {
      for (int q = p + 1; q < width; ++q) {
        const double a = columnProduct(scaled, rows, width, p, p), b = columnProduct(scaled, rows, width, q, q);
        const double c = columnProduct(scaled, rows, width, p, q);
        if (std::abs(c) <= 1e-15 * std::sqrt(a * b)) continue;
        const double zeta = (b - a) / (2 * c);
        const double tangent = std::copysign(1.0, zeta) / (std::abs(zeta) + std::sqrt(1 + zeta * zeta));
        const double cosine = 1 / std::sqrt(1 + tangent * tangent);
        rotate(scaled, rows, width, p, q, cosine, cosine * tangent);
        rotate(vectors, width, width, p, q, cosine, cosine * tangent);
        rotated = true;
      }
    }
  }

  std::vector<double> norms(width);
  for (int i = 0; i < width; ++i) norms[i] = std::sqrt(columnProduct(scaled, rows, width, i, i));
  std::vector<int> order(width);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int i, int j) { return norms[i] > norms[j]; });
  Svd svd{std::vector<double>(width), Matrix(rows * width), Matrix(width * width)};
  for (int i = 0; i < width; ++i) {
    svd.values[i] = norms[order[i]];
    for (int r = 0; r < rows; ++r) svd.left[r * width + i] = scaled[r * width + order[i]] / svd.values[i];
    for (int r = 0; r < width; ++r) svd.right[r * width + i] = vectors[r * width + order[i]];
  }
  return svd;
}

double relativeDistance(const Matrix& a, const Matrix& b) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    size += b[i] * b[i];
  }
  return std::sqrt(difference / size);
}

}  // namespace eigenae::testing
