#include "singular_values.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

// This file is compiled without fused operations, which would round differently from WebAssembly.

namespace eigenae {

namespace {

using Vector = std::vector<double>;

// A bound for numbers that are not finite; otherwise 4 to 15 sweeps are needed.
constexpr int maximumSweeps = 60;

// A matrix [rows][columns], row-major. Sums over the rows run row after row, for all columns at once.
class Matrix {
 public:
  // Pads the values to at least `columns` rows with zeros, which change no singular value.
  Matrix(const double* values, std::size_t rows, int columns, bool center)
      : rows_(std::max<std::size_t>(rows, columns)), columns_(columns), values_(rows_ * columns, 0.0) {
    std::copy_n(values, rows * columns, values_.begin());
    if (center) subtractMeans(rows);
  }

  // Makes the columns upper triangular by Householder reflections, each time of the column with the longest remainder
  // (Golub and Van Loan, "Matrix Computations", 5.4.2), which reorders the columns. Returns the triangle's rows.
  std::vector<Vector> triangularise(const std::atomic<std::int32_t>& stop) {
    // The squared length of each column's remainder. Rounding in it affects the order only.
    Vector remainders(columns_, 0.0);
    for (std::size_t i = 0; i < rows_; ++i) {
      for (int j = 0; j < columns_; ++j) remainders[j] += row(i)[j] * row(i)[j];
    }
    for (int k = 0; k < columns_ && stop == 0; ++k) {
      int longest = k;  // stays k if all are NaN
      for (int j = k + 1; j < columns_; ++j) {
        if (remainders[j] > remainders[longest]) longest = j;
      }
      for (std::size_t i = 0; i < rows_; ++i) std::swap(row(i)[k], row(i)[longest]);
      std::swap(remainders[k], remainders[longest]);
      reflect(k, stop);
      for (int j = k + 1; j < columns_; ++j) remainders[j] -= row(k)[j] * row(k)[j];
    }
    std::vector<Vector> triangle;
    for (int k = 0; k < columns_; ++k) triangle.emplace_back(row(k), row(k) + columns_);
    return triangle;
  }

 private:
  double* row(std::size_t i) { return values_.data() + i * columns_; }

  void subtractMeans(std::size_t rows) {
    Vector means(columns_, 0.0);
    for (std::size_t i = 0; i < rows; ++i) {
      for (int j = 0; j < columns_; ++j) means[j] += row(i)[j];
    }
    for (double& mean : means) mean /= static_cast<double>(rows);
    for (std::size_t i = 0; i < rows; ++i) {
      for (int j = 0; j < columns_; ++j) row(i)[j] -= means[j];
    }
  }

  // Makes column k zero below its diagonal, by a reflection of all columns from k on.
  void reflect(int k, const std::atomic<std::int32_t>& stop) {
    double square = 0;
    for (std::size_t i = k; i < rows_; ++i) square += row(i)[k] * row(i)[k];
    const double length = std::sqrt(square);
    if (length == 0) return;
    const double diagonal = row(k)[k] > 0 ? -length : length;
    Vector reflector(rows_);
    double reflectorSquare = 0;
    for (std::size_t i = k; i < rows_; ++i) {
      reflector[i] = row(i)[k] - (i == static_cast<std::size_t>(k) ? diagonal : 0);
      reflectorSquare += reflector[i] * reflector[i];
    }
    const double scale = 2 / reflectorSquare;
    Vector factors(columns_, 0.0);
    for (std::size_t i = k; i < rows_ && stop == 0; ++i) {
      for (int j = k + 1; j < columns_; ++j) factors[j] += reflector[i] * row(i)[j];
    }
    for (double& factor : factors) factor *= scale;
    for (std::size_t i = k; i < rows_ && stop == 0; ++i) {
      for (int j = k + 1; j < columns_; ++j) row(i)[j] -= factors[j] * reflector[i];
      row(i)[k] = 0;
    }
    row(k)[k] = diagonal;
  }

  std::size_t rows_;
  int columns_;
  Vector values_;
};

double dot(const Vector& a, const Vector& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// Makes two rows orthogonal by the smaller of the two angles (Golub and Van Loan, 8.5.2). Returns false if they already
// are, to rounding. Updates their squared lengths.
bool rotatePair(Vector& p, Vector& q, double& squareOfP, double& squareOfQ, double rounding) {
  const double product = dot(p, q);
  if (std::fabs(product) <= rounding * std::sqrt(squareOfP * squareOfQ)) return false;
  const double zeta = (squareOfQ - squareOfP) / (2 * product);
  const double tangent = (zeta < 0 ? -1 : 1) / (std::fabs(zeta) + std::sqrt(1 + zeta * zeta));
  const double cosine = 1 / std::sqrt(1 + tangent * tangent), sine = cosine * tangent;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const double a = p[i], b = q[i];
    p[i] = cosine * a - sine * b;
    q[i] = sine * a + cosine * b;
  }
  const double moved = sine / cosine * product, rest = squareOfP - moved;
  squareOfP = rest < 0 ? 0 : rest;
  squareOfQ += moved;
  return true;
}

void orthogonalise(std::vector<Vector>& rows, const std::atomic<std::int32_t>& stop) {
  const double rounding = std::numeric_limits<double>::epsilon() * std::sqrt(static_cast<double>(rows.size()));
  bool rotated = true;
  for (int sweep = 0; sweep < maximumSweeps && rotated; ++sweep) {
    // Updated during the sweep, and computed again before the next one.
    Vector squares;
    for (const Vector& row : rows) squares.push_back(dot(row, row));
    rotated = false;
    for (std::size_t p = 0; p < rows.size() && stop == 0; ++p) {
      for (std::size_t q = p + 1; q < rows.size(); ++q) {
        rotated |= rotatePair(rows[p], rows[q], squares[p], squares[q], rounding);
      }
    }
  }
}

}  // namespace

std::vector<double> singularValues(const double* values, std::size_t rows, int columns, bool center,
                                   const std::atomic<std::int32_t>& stop) {
  std::vector<Vector> triangle = Matrix(values, rows, columns, center).triangularise(stop);
  orthogonalise(triangle, stop);
  Vector found;
  for (const Vector& row : triangle) found.push_back(std::sqrt(dot(row, row)));
  // NaN comes first: it compares as greater than every number.
  std::sort(found.begin(), found.end(), [](double a, double b) { return std::isnan(a) ? !std::isnan(b) : a > b; });
  return found;
}

}  // namespace eigenae
