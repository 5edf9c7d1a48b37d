#include "spectral.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>

namespace eigenae {

namespace {

constexpr double rounding = std::numeric_limits<double>::epsilon();
constexpr int maximalSweeps = 40;  // about six are needed; a bound in case the input is not finite

using Matrix = std::vector<double>;  // row-major

std::size_t at(int row, int width) { return static_cast<std::size_t>(row) * static_cast<std::size_t>(width); }

// ZᵀZ [width][width]
Matrix gram(const Matrix& z, int batch, int width) {
  Matrix product(at(width, width), 0.0);
  for (int b = 0; b < batch; ++b) {
    const double* row = &z[at(b, width)];
    for (int i = 0; i < width; ++i) {
      for (int j = 0; j < width; ++j) product[at(i, width) + j] += row[i] * row[j];
    }
  }
  return product;
}

// left [rows][width] · right [width][width]
Matrix multiply(const Matrix& left, const Matrix& right, int rows, int width) {
  Matrix product(at(rows, width), 0.0);
  for (int r = 0; r < rows; ++r) {
    for (int k = 0; k < width; ++k) {
      for (int j = 0; j < width; ++j) product[at(r, width) + j] += left[at(r, width) + k] * right[at(k, width) + j];
    }
  }
  return product;
}

struct Rotation {
  double cosine, sine;
};

// The rotation that makes [[app, apq], [apq, aqq]] diagonal (Golub and Van Loan, "Matrix Computations", 8.5.2).
Rotation diagonalizing(double app, double apq, double aqq) {
  const double tau = (aqq - app) / (2 * apq);
  const double tangent = (tau >= 0 ? 1 : -1) / (std::abs(tau) + std::hypot(1.0, tau));
  const double cosine = 1 / std::hypot(1.0, tangent);
  return {cosine, tangent * cosine};
}

void rotateColumns(Matrix& matrix, int width, int p, int q, Rotation rotation) {
  for (int i = 0; i < width; ++i) {
    double& first = matrix[at(i, width) + p];
    double& second = matrix[at(i, width) + q];
    const double kept = first;
    first = rotation.cosine * kept - rotation.sine * second;
    second = rotation.sine * kept + rotation.cosine * second;
  }
}

void rotateRows(Matrix& matrix, int width, int p, int q, Rotation rotation) {
  for (int i = 0; i < width; ++i) {
    double& first = matrix[at(p, width) + i];
    double& second = matrix[at(q, width) + i];
    const double kept = first;
    first = rotation.cosine * kept - rotation.sine * second;
    second = rotation.sine * kept + rotation.cosine * second;
  }
}

// Eigenvectors of a symmetric matrix as columns, by cyclic Jacobi. An element counts as zero relative to its own row
// and column, not to the whole matrix, which keeps the small eigenvectors of a graded matrix accurate.
Matrix eigenvectors(Matrix a, int width) {
  Matrix vectors(at(width, width), 0.0);
  for (int i = 0; i < width; ++i) vectors[at(i, width) + i] = 1;
  bool rotated = true;
  for (int sweep = 0; rotated && sweep < maximalSweeps; ++sweep) {
    rotated = false;
    for (int p = 0; p < width; ++p) {
      for (int q = p + 1; q < width; ++q) {
        const double app = a[at(p, width) + p], apq = a[at(p, width) + q], aqq = a[at(q, width) + q];
        if (!(std::abs(apq) > rounding * std::sqrt(std::abs(app)) * std::sqrt(std::abs(aqq)))) continue;
        const Rotation rotation = diagonalizing(app, apq, aqq);
        rotateColumns(a, width, p, q, rotation);
        rotateRows(a, width, p, q, rotation);
        rotateColumns(vectors, width, p, q, rotation);
        rotated = true;
      }
    }
  }
  return vectors;
}

std::vector<double> columnNorms(const Matrix& matrix, int rows, int width) {
  std::vector<double> norms(width, 0.0);
  for (int r = 0; r < rows; ++r) {
    for (int i = 0; i < width; ++i) norms[i] += matrix[at(r, width) + i] * matrix[at(r, width) + i];
  }
  for (double& norm : norms) norm = std::sqrt(norm);
  return norms;
}

Matrix permuteColumns(const Matrix& matrix, int rows, const std::vector<int>& order) {
  const int width = static_cast<int>(order.size());
  Matrix permuted(matrix.size());
  for (int r = 0; r < rows; ++r) {
    for (int i = 0; i < width; ++i) permuted[at(r, width) + i] = matrix[at(r, width) + order[i]];
  }
  return permuted;
}

void subtractColumnMeans(double* matrix, int rows, int width) {
  for (int i = 0; i < width; ++i) {
    double mean = 0;
    for (int r = 0; r < rows; ++r) mean += matrix[at(r, width) + i];
    mean /= rows;
    for (int r = 0; r < rows; ++r) matrix[at(r, width) + i] -= mean;
  }
}

bool allFinite(const Matrix& matrix) {
  return std::all_of(matrix.begin(), matrix.end(), [](double value) { return std::isfinite(value); });
}

}  // namespace

SingularValues decompose(const double* latent, int batch, int width) {
  SingularValues result;
  result.batch = batch;
  result.latent = width;
  Matrix projected(latent, latent + at(batch, width));

  // Forming ZᵀZ squares the condition number, so that its small eigenvectors are mixed by rounding. The columns of Z·V
  // are nearly orthogonal however: a second pass on them meets a graded matrix, which Jacobi resolves to full accuracy.
  Matrix vectors = eigenvectors(gram(projected, batch, width), width);
  projected = multiply(projected, vectors, batch, width);
  const Matrix correction = eigenvectors(gram(projected, batch, width), width);
  projected = multiply(projected, correction, batch, width);
  vectors = multiply(vectors, correction, width, width);

  const std::vector<double> norms = columnNorms(projected, batch, width);
  std::vector<int> order(width);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int i, int j) { return norms[i] > norms[j]; });
  result.values = permuteColumns(norms, 1, order);
  result.vectors = permuteColumns(vectors, width, order);
  result.projected = permuteColumns(projected, batch, order);
  return result;
}

double spectralPenalty(const double* latent, int batch, int width, bool center, PenaltyFunction penalty,
                       const PenaltyParameters& parameters, double scale, double* gradient) {
  Matrix z(latent, latent + at(batch, width));
  if (!allFinite(z)) return std::numeric_limits<double>::quiet_NaN();
  if (center) subtractColumnMeans(z.data(), batch, width);
  const SingularValues spectrum = decompose(z.data(), batch, width);

  // A spectrum of zeros has no shares: whatever the limit, it depends on the direction from which it is approached. No
  // direction is better than another, hence no value and no gradient.
  if (spectrum.values[0] == 0) return 0;

  std::vector<double> derivatives(width);
  const double value = penalty(spectrum.values.data(), width, parameters, derivatives.data());

  // ∂f/∂Z = Σ f′ᵢ uᵢ vᵢᵀ = Z V diag(f′/σ) Vᵀ. Where σᵢ is 0 to rounding, uᵢ is not defined (σ has a kink there) and the
  // direction contributes nothing.
  const double negligible = rounding * std::max(batch, width) * spectrum.values[0];
  Matrix weighted = spectrum.projected;
  for (int i = 0; i < width; ++i) {
    const double sigma = spectrum.values[i];
    const double factor = sigma > negligible ? scale * derivatives[i] / sigma : 0;
    for (int b = 0; b < batch; ++b) weighted[at(b, width) + i] *= factor;
  }
  Matrix transposed(at(width, width));
  for (int i = 0; i < width; ++i) {
    for (int j = 0; j < width; ++j) transposed[at(j, width) + i] = spectrum.vectors[at(i, width) + j];
  }
  Matrix added = multiply(weighted, transposed, batch, width);
  if (center) subtractColumnMeans(added.data(), batch, width);
  for (std::size_t i = 0; i < added.size(); ++i) gradient[i] += added[i];
  return value;
}

}  // namespace eigenae
