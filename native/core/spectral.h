// Singular values of a batch's embedding and the gradient of any function of them, in double.
#pragma once

#include <cstddef>
#include <vector>

#include "../eigen_losses/eigen_losses.h"
#include "../kernels/kernels.h"
#include "call_control.h"

namespace eigenae {

class Spectrum {
 public:
  Spectrum(const Kernels& kernels, const CallControl& control, int batch, int width);
  Spectrum(const Spectrum&) = delete;
  Spectrum& operator=(const Spectrum&) = delete;

  // A column of the embedding Z [batch][width]. It is contiguous and padded with zeros.
  double* column(int index) { return embedding_ + index * stride_; }
  int batch() const { return batch_; }

  // Returns f(σ(Z)) and adds scale · ∂f/∂Z to the gradient. With `center`, the column means are subtracted from Z
  // first. If the call is stopped, the value is meaningless and nothing is added.
  double eigenLoss(bool center, EigenLossFunction function, const EigenLossParameters& parameters, double scale);

  // The gradient [batch][width], stored by columns as the embedding is.
  void clearGradient();
  const double* gradient(int index) const { return gradient_ + index * stride_; }

  // Returns σ(Z) [width], largest first; meaningless if the call is stopped.
  const std::vector<double>& decompose(bool center);

 private:
  double subtractMean(double* column) const;  // returns the mean

  const Kernels& kernels_;
  const CallControl& control_;
  const int batch_, width_;
  const std::size_t stride_, smallStride_;  // doubles between the columns of [batch][width] and [width][width] matrices
  std::vector<double> memory_;
  double *embedding_, *factored_, *scratch_,
      *gradient_;                  // [width][stride]; factored_: Z without means and rounding errors
  double *projections_, *matrix_;  // [width + 1][smallStride]
  int rank_ = 0;                   // numerical rank of Z, the number of projections
  std::vector<double> squares_;    // [width + 1] squared lengths of the columns
  std::vector<double> noise_;      // [width] squared rounding error that a column may contain
  std::vector<double> values_, derivatives_, weights_;
  std::vector<int> order_;
};

// Returns the singular values of latent [batch][width], largest first.
std::vector<double> singularValues(const double* latent, int batch, int width);

// Returns f(σ(Z)) for Z = latent [batch][width] and adds scale · ∂f/∂Z to gradient [batch][width].
double spectralEigenLoss(const double* latent, int batch, int width, bool center, EigenLossFunction eigenLoss,
                         const EigenLossParameters& parameters, double scale, double* gradient);

}  // namespace eigenae
