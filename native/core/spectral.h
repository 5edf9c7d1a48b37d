// Singular values of a batch's latent codes, and the gradient of any function of them. All in double.
#pragma once

#include <cstddef>
#include <vector>

#include "../kernels/kernels.h"
#include "../eigen_losses/eigen_losses.h"
#include "call_control.h"

namespace eigenae {

class Spectrum {
 public:
  Spectrum(const Kernels& kernels, const CallControl& control, int batch, int width);
  Spectrum(const Spectrum&) = delete;
  Spectrum& operator=(const Spectrum&) = delete;

  // The codes Z [batch][width], each column in one piece. What is behind a column is 0.
  double* column(int index) { return codes_ + index * stride_; }
  int batch() const { return batch_; }

  // Returns f(σ(Z)) and adds scale · ∂f/∂Z to the gradient. With `center`, Z is less its column means. If it is stopped,
  // the value is of no use and nothing is added.
  double eigenLoss(bool center, EigenLossFunction function, const EigenLossParameters& parameters, double scale);

  // The gradient [batch][width], in columns as the codes are.
  void clearGradient();
  const double* gradient(int index) const { return gradient_ + index * stride_; }

  // σ [width] of Z, largest first; of no use if it is stopped
  const std::vector<double>& decompose(bool center);

 private:
  double subtractMean(double* column) const;  // returns it

  const Kernels& kernels_;
  const CallControl& control_;
  const int batch_, width_;
  const std::size_t stride_, smallStride_;  // from column to column of batch · width and width · width matrices
  std::vector<double> memory_;
  double *codes_, *factored_, *scratch_, *gradient_;  // [width][stride]; factored: less means and rounding
  double *projections_, *matrix_;                     // [width + 1][smallStride]
  int rank_ = 0;                                      // of the codes: so many projections
  std::vector<double> squares_;                       // [width + 1] of lengths
  std::vector<double> noise_;                         // [width] squares of what rounding may be in a column
  std::vector<double> values_, derivatives_, weights_;
  std::vector<int> order_;
};

// The singular values of latent [batch][width], largest first.
std::vector<double> singularValues(const double* latent, int batch, int width);

// Returns f(σ(Z)) for Z = latent [batch][width] and adds scale · ∂f/∂Z to gradient [batch][width].
double spectralEigenLoss(const double* latent, int batch, int width, bool center, EigenLossFunction eigenLoss,
                       const EigenLossParameters& parameters, double scale, double* gradient);

}  // namespace eigenae
