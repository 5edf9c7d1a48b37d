// Eigen losses: functions of a layer's values for a batch, a matrix Z [images][width]. A new one is a file with its
// formula and its derivatives, which is declared and listed in eigen_losses.cc. core/layer_matrix.cc computes the
// gradient with respect to Z from these derivatives.
//
// There are three sorts. A loss that needs only each feature's mean and variance is a FeatureFunction, which costs a
// time proportional to images · width. One that needs the covariances is a MomentFunction; the determinant of a
// covariance matrix belongs here, although it is a function of the eigenvalues. Any other is a SpectrumFunction.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>

namespace eigenae {

using EigenLossParameters = std::map<std::string, double>;

// Returns f(σ) and writes derivatives [count] = ∂f/∂σᵢ, for singular values [count] σ₁ ≥ … ≥ σ_d ≥ 0 with σ₁ > 0.
using SpectrumFunction = double (*)(const double* singularValues, int count, const EigenLossParameters& parameters,
                                    double* derivatives);

// Means and biased variances of some of a layer's features over a batch, [features] each.
struct FeatureMoments {
  int images, features;
  const double *means, *variances;
};

// A function of each feature's mean and variance and its derivatives, [features] each.
struct FeatureLosses {
  double *values, *byMeans, *byVariances;
};

// Writes the losses of the given features. The layer's loss is the mean over all its features.
using FeatureFunction = void (*)(const FeatureMoments& moments, const EigenLossParameters& parameters,
                                 const FeatureLosses& losses);

// Means m [width] and biased covariances C = (Z − m)ᵀ(Z − m) / images [width][width], whose rows are `stride` apart.
// For a loss that is not centred, m is 0.
struct Moments {
  int images, width;
  const double *means, *covariances;
  std::size_t stride;
  // Returns ln det(C + epsilon · I), for epsilon > 0, and writes the inverse of this matrix, with the same stride.
  std::function<double(double epsilon, double* inverse)> logDeterminant;

  double covariance(int i, int j) const { return covariances[i * stride + j]; }
};

// ∂f/∂m [width] and ∂f/∂C [width][stride], a symmetric matrix of the derivatives by all elements as if they were
// independent. All are 0 on entry.
struct MomentDerivatives {
  double *means, *covariances;
};

// Returns f(m, C) and writes the derivatives.
using MomentFunction = double (*)(const Moments& moments, const EigenLossParameters& parameters,
                                  const MomentDerivatives& derivatives);

// A row of the table: one of the three functions is set.
struct EigenLossFormula {
  const char* kind;
  SpectrumFunction ofSpectrum = nullptr;
  FeatureFunction ofFeatures = nullptr;
  MomentFunction ofMoments = nullptr;
  bool alwaysCentred = false;  // whether Z is centred whatever the config says; a FeatureFunction's always is
};

// Throws std::invalid_argument if no eigen loss has this kind.
const EigenLossFormula& findEigenLoss(const std::string& kind);

// Throws std::out_of_range if a parameter of the formula is missing.
void requireParameters(const EigenLossFormula& formula, const EigenLossParameters& parameters);

}  // namespace eigenae
