#include "layer_measures.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "aligned.h"

// This file is compiled without fused operations, which would round differently from WebAssembly.

namespace eigenae {

namespace {

using Rows = std::vector<std::vector<double>>;

int countSilent(const LayerOutputs& outputs) {
  std::vector<double> highest(outputs.width, 0.0);
  for (int image = 0; image < outputs.count; ++image) {
    const float* row = outputs.row(image);
    for (int unit = 0; unit < outputs.width; ++unit) {
      const double input = outputs.scale.empty() ? row[unit] : outputs.scale[unit] * row[unit] + outputs.shift[unit];
      highest[unit] = input > highest[unit] ? input : highest[unit];
    }
  }
  return static_cast<int>(std::count(highest.begin(), highest.end(), 0.0));
}

std::vector<double> columnSums(const LayerOutputs& outputs) {
  std::vector<double> sums(outputs.width, 0.0);
  for (int image = 0; image < outputs.count; ++image) {
    const float* row = outputs.row(image);
    for (int unit = 0; unit < outputs.width; ++unit) sums[unit] += row[unit];
  }
  return sums;
}

double meanVariance(const LayerOutputs& outputs, const std::vector<double>& sums) {
  std::vector<double> means = sums, squares(outputs.width, 0.0);
  for (double& mean : means) mean /= outputs.count;
  for (int image = 0; image < outputs.count; ++image) {
    const float* row = outputs.row(image);
    for (int unit = 0; unit < outputs.width; ++unit) {
      const double deviation = row[unit] - means[unit];
      squares[unit] += deviation * deviation;
    }
  }
  return std::accumulate(squares.begin(), squares.end(), 0.0) / outputs.count / outputs.width;
}

// Returns ZᵀZ, of Z or of Z without its columns' means.
Rows gramMatrix(const LayerOutputs& outputs, const std::vector<double>& sums, const Kernels& kernels,
                const std::atomic<std::int32_t>& stop) {
  constexpr int block = 32;
  const int width = outputs.width;
  const std::size_t stride = roundUp(width, 16);
  const AlignedDoubles rows = alignedDoubles(block * stride), products = alignedDoubles(stride * stride);
  for (int first = 0; first < outputs.count && stop == 0; first += block) {
    const int some = std::min(block, outputs.count - first);
    for (int i = 0; i < some; ++i) std::copy_n(outputs.row(first + i), width, rows.get() + i * stride);
    kernels.addGram(rows.get(), stride, some, products.get());
  }
  Rows gram(width, std::vector<double>(width));
  for (int j = 0; j < width; ++j) {
    for (int k = 0; k <= j; ++k) {
      gram[j][k] = products[j * stride + k];
      if (outputs.center) gram[j][k] -= sums[j] * sums[k] / outputs.count;
      gram[k][j] = gram[j][k];
    }
  }
  return gram;
}

struct Tridiagonal {
  std::vector<double> diagonal, beside;  // beside[i] is the element (i, i − 1)
};

// Householder reflections from both sides (Golub and Van Loan, "Matrix Computations", 8.3.1). Overwrites the matrix.
Tridiagonal tridiagonalise(Rows& matrix, const std::atomic<std::int32_t>& stop) {
  const int size = static_cast<int>(matrix.size());
  Tridiagonal result{std::vector<double>(size, 0.0), std::vector<double>(size, 0.0)};
  std::vector<double> v(size, 0.0), p(size, 0.0);
  for (int k = 0; k < size - 1 && stop == 0; ++k) {
    const std::vector<double>& column = matrix[k];  // symmetric: row k from k + 1 on is column k
    double norm = 0;
    for (int i = k + 1; i < size; ++i) norm += column[i] * column[i];
    norm = std::sqrt(norm);
    const double alpha = column[k + 1] > 0 ? -norm : norm;
    result.beside[k + 1] = alpha;
    if (norm == 0) continue;
    for (int i = k + 1; i < size; ++i) v[i] = column[i];
    v[k + 1] -= alpha;
    // vᵀv = 2 · norm · (norm + |first element|)
    const double factor = 1 / (norm * (norm + std::fabs(column[k + 1])));
    double product = 0;
    for (int i = k + 1; i < size; ++i) {
      const double* row = matrix[i].data();
      double sum = 0;
      for (int j = k + 1; j < size; ++j) sum += row[j] * v[j];
      p[i] = factor * sum;
      product += p[i] * v[i];
    }
    const double half = factor * product / 2;
    for (int i = k + 1; i < size; ++i) p[i] -= half * v[i];
    for (int i = k + 1; i < size; ++i) {
      double* row = matrix[i].data();
      const double ofV = v[i], ofP = p[i];
      for (int j = k + 1; j < size; ++j) row[j] -= ofV * p[j] + ofP * v[j];
    }
  }
  for (int i = 0; i < size; ++i) result.diagonal[i] = matrix[i][i];
  return result;
}

bool isNegligible(double value, double a, double b) {
  return std::fabs(value) <= std::numeric_limits<double>::epsilon() * (std::fabs(a) + std::fabs(b));
}

// One implicit step with a shift on the block l … m.
void stepOfQl(std::vector<double>& d, std::vector<double>& e, int l, int m) {
  double g = (d[l + 1] - d[l]) / (2 * e[l]);
  double r = std::sqrt(g * g + 1);
  g = d[m] - d[l] + e[l] / (g + (g >= 0 ? std::fabs(r) : -std::fabs(r)));
  double s = 1, c = 1, p = 0;
  for (int i = m - 1; i >= l; --i) {
    const double f = s * e[i], b = c * e[i];
    r = std::sqrt(f * f + g * g);
    e[i + 1] = r;
    if (r == 0) {
      d[i + 1] -= p;
      e[m] = 0;
      return;
    }
    s = f / r;
    c = g / r;
    g = d[i + 1] - p;
    r = (d[i] - g) * s + 2 * c * b;
    p = s * r;
    d[i + 1] = g + p;
    g = c * r - b;
  }
  d[l] -= p;
  e[l] = g;
  e[m] = 0;
}

// The implicit QL method ("tqli" of Press et al., "Numerical Recipes", 11.3); the diagonal becomes the eigenvalues.
std::vector<double> eigenvaluesOf(Tridiagonal matrix) {
  std::vector<double>& d = matrix.diagonal;
  const int size = static_cast<int>(d.size());
  std::vector<double> e(size, 0.0);
  for (int i = 0; i + 1 < size; ++i) e[i] = matrix.beside[i + 1];
  for (int l = 0; l < size; ++l) {
    for (int iteration = 0; iteration < 60; ++iteration) {
      int m = l;
      while (m < size - 1 && !isNegligible(e[m], d[m], d[m + 1])) ++m;
      if (m == l) break;
      stepOfQl(d, e, l, m);
    }
  }
  return std::move(d);
}

}  // namespace

LayerMeasures measureLayer(const LayerOutputs& outputs, const Kernels& kernels, const std::atomic<std::int32_t>& stop) {
  LayerMeasures measures;
  const std::vector<double> sums = columnSums(outputs);
  measures.silentUnits = countSilent(outputs);
  measures.meanVariance = meanVariance(outputs, sums);
  if (!outputs.ranked || stop != 0) return measures;
  Rows gram = gramMatrix(outputs, sums, kernels, stop);
  if (stop == 0) measures.eigenvalues = eigenvaluesOf(tridiagonalise(gram, stop));
  return measures;
}

}  // namespace eigenae
