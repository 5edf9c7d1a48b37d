#include "linear_probe.h"

#include <algorithm>
#include <cmath>
#include <vector>

// This file is compiled without fused operations, which would round differently from WebAssembly.

namespace eigenae {

namespace {

using Vector = std::vector<double>;
using Rows = std::vector<Vector>;

constexpr double ridge = 1;

Vector columnMeans(const LabelledEmbedding& set, int latent) {
  Vector means(latent, 0.0);
  for (std::size_t image = 0; image < set.count; ++image) {
    for (int i = 0; i < latent; ++i) means[i] += set.embedding[image * latent + i];
  }
  for (double& mean : means) mean /= static_cast<double>(set.count);
  return means;
}

void centredRow(const LabelledEmbedding& set, std::size_t image, const Vector& mean, Vector& row) {
  for (std::size_t i = 0; i < mean.size(); ++i) row[i] = set.embedding[image * mean.size() + i] - mean[i];
}

// Returns the means of the one-hot labels, [classes]. They are the intercepts, because the columns are centred.
Vector classShares(const LabelledEmbedding& set) {
  const int largest = set.count == 0 ? 0 : *std::max_element(set.labels, set.labels + set.count);
  Vector shares(largest + 1, 0.0);
  for (std::size_t image = 0; image < set.count; ++image) shares[set.labels[image]] += 1;
  for (double& share : shares) share /= static_cast<double>(set.count);
  return shares;
}

// Adds the products of `some` rows [width] of Z to the lower triangle of ZᵀZ, row after row for each element.
template <int some>
void addProducts(const Vector* rows, Rows& gram) {
  const int width = static_cast<int>(gram.size());
  for (int j = 0; j < width; ++j) {
    double* target = gram[j].data();
    for (int k = 0; k <= j; ++k) {
      double sum = target[k];
      for (int i = 0; i < some; ++i) sum += rows[i][j] * rows[i][k];
      target[k] = sum;
    }
  }
}

struct NormalEquations {
  Rows gram;      // the lower triangle of XᵀX + λI, [latent][latent], of the centred X
  Rows products;  // YᵀX, [classes][latent]
};

NormalEquations normalEquations(const LabelledEmbedding& set, const Vector& mean, std::size_t classes,
                                const std::atomic<std::int32_t>& stop) {
  const std::size_t latent = mean.size();
  NormalEquations result{Rows(latent, Vector(latent, 0.0)), Rows(classes, Vector(latent, 0.0))};
  constexpr std::size_t block = 4;
  Vector rows[block];
  for (Vector& row : rows) row.resize(latent);
  for (std::size_t first = 0; first < set.count && stop == 0; first += block) {
    const std::size_t some = std::min(block, set.count - first);
    for (std::size_t b = 0; b < some; ++b) {
      centredRow(set, first + b, mean, rows[b]);
      Vector& product = result.products[set.labels[first + b]];
      for (std::size_t i = 0; i < latent; ++i) product[i] += rows[b][i];
    }
    if (some == block) {
      addProducts<block>(rows, result.gram);
    } else {
      for (std::size_t b = 0; b < some; ++b) addProducts<1>(rows + b, result.gram);
    }
  }
  for (std::size_t i = 0; i < latent; ++i) result.gram[i][i] += ridge;
  return result;
}

// Replaces the lower triangle of a matrix with Cholesky's L: matrix = L·Lᵀ.
void factorise(Rows& matrix, const std::atomic<std::int32_t>& stop) {
  for (std::size_t i = 0; i < matrix.size() && stop == 0; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = matrix[i][j];
      for (std::size_t k = 0; k < j; ++k) sum -= matrix[i][k] * matrix[j][k];
      matrix[i][j] = i == j ? std::sqrt(sum) : sum / matrix[j][j];
    }
  }
}

// Replaces a vector by L⁻¹ · vector.
void solveLower(const Rows& lower, Vector& vector) {
  for (std::size_t i = 0; i < vector.size(); ++i) {
    double sum = vector[i];
    for (std::size_t k = 0; k < i; ++k) sum -= lower[i][k] * vector[k];
    vector[i] = sum / lower[i][i];
  }
}

// Replaces a vector by (L·Lᵀ)⁻¹ · vector.
void solve(const Rows& lower, Vector& vector) {
  solveLower(lower, vector);
  for (std::size_t i = vector.size(); i-- > 0;) {
    double sum = vector[i];
    for (std::size_t k = i + 1; k < vector.size(); ++k) sum -= lower[k][i] * vector[k];
    vector[i] = sum / lower[i][i];
  }
}

// Returns xᵀ(XᵀX + λI)⁻¹x of a centred row, from Cholesky's L: the influence of its label on its own prediction.
double leverage(Vector row, const Rows& lower) {
  solveLower(lower, row);
  double sum = 0;
  for (const double value : row) sum += value * value;
  return sum;
}

// Replaces the scores by those of the map fitted without the image: y − (y − ŷ) / (1 − h), where h is its leverage.
void leaveOut(Vector& scores, int label, double h) {
  for (std::size_t column = 0; column < scores.size(); ++column) {
    const double target = static_cast<int>(column) == label ? 1 : 0;
    scores[column] = target - (target - scores[column]) / (1 - h);
  }
}

}  // namespace

std::size_t countProbeHits(const LinearProbe& probe, const std::atomic<std::int32_t>& stop) {
  const Vector mean = columnMeans(probe.train, probe.latent);
  const Vector intercepts = classShares(probe.train);
  auto [gram, weights] = normalEquations(probe.train, mean, intercepts.size(), stop);
  factorise(gram, stop);
  for (Vector& ofClass : weights) solve(gram, ofClass);
  Vector row(probe.latent), scores(intercepts.size());
  std::size_t hits = 0;
  for (std::size_t image = 0; image < probe.scored.count && stop == 0; ++image) {
    centredRow(probe.scored, image, mean, row);
    for (std::size_t column = 0; column < scores.size(); ++column) {
      double score = intercepts[column];
      for (int i = 0; i < probe.latent; ++i) score += row[i] * weights[column][i];
      scores[column] = score;
    }
    const int label = probe.scored.labels[image];
    if (probe.leaveOut) leaveOut(scores, label, leverage(row, gram) + 1 / static_cast<double>(probe.train.count));
    const auto highest = std::max_element(scores.begin(), scores.end());  // the first one if several are equal
    if (highest - scores.begin() == label) ++hits;
  }
  return hits;
}

}  // namespace eigenae
