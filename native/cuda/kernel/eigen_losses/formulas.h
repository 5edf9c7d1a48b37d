// The forms of the eigen losses' formulas. They mirror native/eigen_losses, without its library: a new loss is a file
// with its formula and a row of the table in eigen_losses.h.
//
//   spectrum  f(σ) and its derivatives, by one thread: singular values [count] in descending order, the first above 0
//   moments   a row of ∂f/∂C and its share of f, by one thread for each row
//   features  a feature's loss and its derivatives; the loss is the mean over the features
#pragma once

#include "numerics.h"

namespace eigenae {
namespace cuda {

// Matrices [width][stride]. A loss whose row of the table needs the inverse has it, and in the diagonal of
// `covariances` the squares of the diagonal of the Cholesky factor of C + εI instead of C.
struct MomentMatrices {
  int width, stride, images;
  const double* covariances;  // C, biased
  const double* inverse;      // (C + εI)⁻¹, in the memory of `derivatives`: a row is read before it is written
  const double* means;
  const double* variances;  // [width], the diagonal of C
  double* derivatives;      // ∂f/∂C
  double* byMeans;          // ∂f/∂m, 0 on entry

  DEV_MEMBER double logarithmOfPivot(int i) const { return logarithm(covariances[i * stride + i]); }
};

struct FeatureLoss {
  double value, byMean, byVariance;
};

}  // namespace cuda
}  // namespace eigenae
