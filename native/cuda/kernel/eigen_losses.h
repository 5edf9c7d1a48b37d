// The eigen losses on the latent layer, computed by a block's ninth warp while the others are at the decoder. Every
// block computes all of them, for the whole batch, so none waits for another.
#pragma once

#include "eigen_gradient.h"
#include "eigen_losses/covariance.h"
#include "eigen_losses/decorrelation.h"
#include "eigen_losses/entropy.h"
#include "eigen_losses/kl_diagonal.h"
#include "eigen_losses/kl_normal.h"
#include "eigen_losses/log_det.h"
#include "eigen_losses/log_max.h"
#include "eigen_losses/top_k.h"
#include "eigen_losses/variance.h"
#include "symmetric.h"

namespace eigenae {
namespace cuda {

// The table of the kinds: a row here, and the formula in one of the three functions below.
enum class Form { spectrum, moments, features };
struct Formula {
  Form form;
  bool alwaysCentred, needsInverse;
};
DEV Formula formulaOf(int kind) {
  switch (kind) {
    case topK:
    case logMax:
    case entropy:
      return {Form::spectrum, false, false};
    case logDet:
      return {Form::moments, false, true};
    case klNormal:
      return {Form::moments, true, true};
    case covariance:
    case decorrelation:
      return {Form::moments, true, false};
    default:
      return {Form::features, true, false};
  }
}
DEV double spectrumLoss(int kind, const double* singularValues, double parameter, double* derivatives) {
  if (kind == topK) return topKLoss(singularValues, latent, parameter, derivatives);
  if (kind == logMax) return logMaxLoss(singularValues, latent, parameter, derivatives);
  return entropyLoss(singularValues, latent, parameter, derivatives);
}
DEV double momentRow(int kind, const MomentMatrices& m, int row) {
  if (kind == logDet) return logDetRow(m, row);
  if (kind == klNormal) return klNormalRow(m, row);
  if (kind == covariance) return covarianceRow(m, row);
  return decorrelationRow(m, row);
}
DEV FeatureLoss featureLoss(int kind, double mean, double variance, int images, double parameter) {
  if (kind == klDiagonal) return klDiagonalLoss(mean, variance, images, parameter);
  return varianceLoss(mean, variance, images, parameter);
}

// The warp's workspace in shared memory.
struct EigenSpace {
  const float* embedding;  // [images][latentStride]
  int images;
  double *a, *v;                                                               // [latentStride]²
  double *means, *variances, *byMeans, *sigma, *sorted, *derivatives, *ranks;  // [latentStride]
  JacobiSpace jacobi;
  double* partial;    // [64]
  double* direction;  // eigen_gradient.h

  DEV_MEMBER double deviation(int image, int j, bool centred) const {
    return static_cast<double>(embedding[image * latentStride + j]) - (centred ? means[j] : 0);
  }
};

DEV EigenSpace eigenSpace(float* shared, int images) {
  constexpr SharedLayout at = sharedLayout(shape);
  constexpr int n = latentStride, square = n * n;
  double* const begin = reinterpret_cast<double*>(shared + at.eigen);
  double* const vectors = begin + 2 * square;
  return {shared + at.embedding,
          images,
          begin,
          begin + square,
          vectors,
          vectors + n,
          vectors + 2 * n,
          vectors + 3 * n,
          vectors + 4 * n,
          vectors + 5 * n,
          vectors + 6 * n,
          {vectors + 7 * n, vectors + 7 * n + n / 2, vectors + 8 * n},
          vectors + 8 * n + warpSize,
          reinterpret_cast<double*>(shared + at.direction)};
}

// Computes a = scale · DᵀD for the deviations D of the embedding. Row r and row n − 1 − r of the upper triangle make n
// + 1 elements together.
DEV void gram(const EigenSpace& s, bool centred, double scale) {
  constexpr int n = latentStride;
  for (int e = lane(); e < n / 2 * (n + 1); e += warpSize) {
    const int r = e / (n + 1), q = e % (n + 1);
    const int i = q < n - r ? r : n - 1 - r, j = q < n - r ? r + q : q - 1;
    double sum = 0;
    for (int image = 0; image < s.images; ++image)
      sum = fma(s.deviation(image, i, centred), s.deviation(image, j, centred), sum);
    s.a[i * n + j] = s.a[j * n + i] = scale * sum;
  }
}

// Adds a term whose gradient of an image with the values z and the deviations d from the batch's means is
// scale · d · matrix + meanScale · byMeans, or scale · z · matrix if it is not centred.
DEV void addToDirection(const EigenSpace& s, const double* matrix, bool centred, double scale, double meanScale) {
  constexpr int n = latentStride;
  for (int e = lane(); e < latent * latent; e += warpSize) {
    const int at = e / latent * n + e % latent;
    s.direction[at] = fma(scale, matrix[at], s.direction[at]);
  }
  for (int k = lane(); k < latent; k += warpSize) {
    double sum = 0;
    for (int j = 0; j < latent; ++j) sum = fma(s.means[j], matrix[j * n + k], sum);
    if (centred) {
      s.direction[offsetAt + k] += fma(-scale, sum, meanScale * s.byMeans[k]);
      s.direction[shiftSumAt + k] += meanScale * s.images * s.byMeans[k];
    } else {
      s.direction[shiftSumAt + k] += scale * s.images * sum;
    }
  }
}

// Each of the following functions evaluates a term with its weight, adds it to the direction and returns its value to
// thread 0 of the warp.

// Z · V diag(f′/σ) Vᵀ is the gradient of f(σ(Z)). The eigenvectors V of ZᵀZ are exact enough down to the rounding of
// the embedding; the singular values are the lengths of the columns of Z V, since the eigenvalues lose small ones.
DEV double evaluateSpectrum(const EigenSpace& s, const Term& term, double weight) {
  constexpr int n = latentStride, parts = n < warpSize ? warpSize / n : 1;
  constexpr double embeddingRounding = 1.0 / (1 << 21);  // relative, of sums in single precision
  const bool centred = term.center != 0;
  gram(s, centred, 1);
  syncWarp();  // a is there
  double trace = 0;
  for (int i = 0; i < latent; ++i) trace += s.a[i * n + i];
  // The shares of a spectrum of zeros are undefined: value and gradient are 0. NaN and infinity give NaN.
  if (!(trace > 0 && trace < 1e300)) return trace - trace;
  diagonalise(s.a, s.v, divide(1.0, trace), s.jacobi);
  for (int e = lane(); e < n * parts; e += warpSize) {
    const int j = e % n;
    double sum = 0;
    for (int image = e / n; image < s.images; image += parts) {
      double x = 0;
      for (int i = 0; i < latent; ++i) x = fma(s.deviation(image, i, centred), s.v[i * n + j], x);
      sum = fma(x, x, sum);
    }
    s.partial[e] = sum;
  }
  syncWarp();  // the partial sums are there
  for (int j = lane(); j < latent; j += warpSize) {
    double sum = 0;
    for (int part = 0; part < parts; ++part) sum += s.partial[part * n + j];
    s.sigma[j] = squareRoot(sum);
  }
  syncWarp();  // the singular values are there
  for (int j = lane(); j < latent; j += warpSize) {
    int rank = 0;
    for (int i = 0; i < latent; ++i) rank += s.sigma[i] > s.sigma[j] || (s.sigma[i] == s.sigma[j] && i < j) ? 1 : 0;
    s.byMeans[j] = 0;
    s.ranks[j] = rank;
    s.sorted[rank] = s.sigma[j];
  }
  syncWarp();  // they are sorted
  double value = 0;
  if (lane() == 0) value = spectrumLoss(term.kind, s.sorted, term.parameter, s.derivatives);
  syncWarp();  // the derivatives are there
  for (int j = lane(); j < latent; j += warpSize) {
    const double sigma = s.sigma[j];
    const bool defined = sigma >= embeddingRounding * s.sorted[0];
    s.sigma[j] = defined ? divide(s.derivatives[static_cast<int>(s.ranks[j])], sigma) : 0;
  }
  syncWarp();  // sigma has become f′/σ
  for (int e = lane(); e < latent * latent; e += warpSize) {
    const int i = e / latent, j = e % latent;
    double sum = 0;
    for (int k = 0; k < latent; ++k) sum = fma(s.v[i * n + k] * s.sigma[k], s.v[j * n + k], sum);
    s.a[i * n + j] = sum;
  }
  syncWarp();  // a is the gradient's matrix
  addToDirection(s, s.a, centred, weight, 0);
  return value;
}

// (1 · (∂f/∂m)ᵀ + 2 D · ∂f/∂C) / N is the gradient of f(m, C).
DEV double evaluateMoments(const EigenSpace& s, const Term& term, double weight) {
  constexpr int n = latentStride;
  const Formula formula = formulaOf(term.kind);
  const bool centred = formula.alwaysCentred || term.center != 0;
  gram(s, centred, divide(1.0, s.images));
  syncWarp();  // a is there
  for (int j = lane(); j < latent; j += warpSize) {
    s.byMeans[j] = 0;
    s.variances[j] = s.a[j * n + j];
  }
  if (formula.needsInverse) {
    invert(s.a, term.parameter, s.v, s.sorted);
    syncWarp();  // the inverse is there
  }
  const MomentMatrices matrices{latent, n, s.images, s.a, s.v, s.means, s.variances, s.v, s.byMeans};
  for (int i = lane(); i < latent; i += warpSize) s.partial[i] = momentRow(term.kind, matrices, i);
  syncWarp();  // the derivatives are there
  double value = 0;
  for (int i = 0; i < latent; ++i) value += s.partial[i];
  addToDirection(s, s.v, centred, divide(2 * weight, s.images), divide(weight, s.images));
  return value;
}

// With a feature's mean m and variance v of N images, ∂f/∂zᵦ = (∂f/∂m + 2 (zᵦ − m) · ∂f/∂v) / N.
DEV double evaluateFeatures(const EigenSpace& s, const Term& term, double weight) {
  const double share = divide(weight, static_cast<double>(latent) * s.images);
  for (int j = lane(); j < latent; j += warpSize) {
    double sum = 0;
    for (int image = 0; image < s.images; ++image) {
      const double deviation = s.deviation(image, j, true);
      sum = fma(deviation, deviation, sum);
    }
    const FeatureLoss loss = featureLoss(term.kind, s.means[j], divide(sum, s.images), s.images, term.parameter);
    s.partial[j] = loss.value;
    const double slope = 2 * share * loss.byVariance;
    s.direction[j * latentStride + j] += slope;
    s.direction[offsetAt + j] += fma(-slope, s.means[j], share * loss.byMean);
    s.direction[shiftSumAt + j] += share * s.images * loss.byMean;
  }
  syncWarp();  // the features' losses are there
  double value = 0;
  for (int j = 0; j < latent; ++j) value += s.partial[j];
  return divide(value, latent);
}

// Evaluates all terms of a step on the embedding in the exchange. `losses` [1 + terms] receives their values, from the
// model's first block.
DEV void evaluateEigenLosses(const Block& b, const Step& step, double* losses) {
  constexpr ExchangeLayout exchangeAt = exchangeLayout(shape);
  constexpr SharedLayout sharedAt = sharedLayout(shape);
  const Training& g = *b.training;
  if (anyApplies(g, step)) {
    float* const embedding = b.shared + sharedAt.embedding;
    const EigenSpace s = eigenSpace(b.shared, step.images);
    for (int e = lane(); e < directionDoubles(shape); e += warpSize) s.direction[e] = 0;
    for (int e = lane(); e < step.images * latentStride; e += warpSize)
      embedding[e] = e % latentStride < latent ? loadExchanged(b.exchange + exchangeAt.embedding + e) : 0;
    syncWarp();  // the embedding is there
    for (int j = lane(); j < latentStride; j += warpSize) {
      double sum = 0;
      for (int image = 0; image < step.images; ++image) sum += static_cast<double>(embedding[image * latentStride + j]);
      s.means[j] = divide(sum, step.images);
    }
    for (int i = 0; i < g.termCount; ++i) {
      if (!applies(g, step, i)) continue;
      const Term term = g.terms[i];
      const double weight = g.weights[step.index * g.termCount + i];
      syncWarp();  // the means are there, and no thread is at the term before
      const Form form = formulaOf(term.kind).form;
      const double value = form == Form::spectrum  ? evaluateSpectrum(s, term, weight)
                           : form == Form::moments ? evaluateMoments(s, term, weight)
                                                   : evaluateFeatures(s, term, weight);
      if (b.rank == 0 && lane() == 0) losses[1 + i] = value;
    }
  }
  if (b.rank != 0 || lane() != 0) return;
  for (int i = 0; i < g.termCount; ++i)
    if (!applies(g, step, i)) losses[1 + i] = 0;
}

// Adds up the squared errors that the blocks have stored, and writes their mean over images and pixels.
DEV void writeSquaredError(const Block& b, const Step& step, const float* stored, double* losses) {
  const EigenSpace s = eigenSpace(b.shared, step.images);
  static_assert(quads <= 64 && lossParts == 4, "a quad has a partial sum");
  for (int q = lane(); q < quads; q += warpSize) {
    double sums[4];
    for (int i = 0; i < 4; ++i) {
      const float* from = stored + (4 * q + i) * lossParts;
      sums[i] = (static_cast<double>(loadExchanged(from)) + loadExchanged(from + 1)) +
                (static_cast<double>(loadExchanged(from + 2)) + loadExchanged(from + 3));
    }
    s.partial[q] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  }
  syncWarp();  // the sums of the quads are there
  if (lane() != 0) return;
  double sum = 0;
  for (int q = 0; q < quads; ++q) sum += s.partial[q];
  losses[0] = divide(sum, static_cast<double>(step.images) * inputs);
}

}  // namespace cuda
}  // namespace eigenae
