#include "eigen_losses.h"

namespace eigenae {

// f = −(1/d) Σ ln(λᵢ/N + ε) with λ = σ² over d dimensions and N images. The λ/N are the eigenvalues of C, so
// f = −ln det(C + εI) / d and ∂f/∂C = −(C + εI)⁻¹ / d. Without ε it is, up to constants, the log-determinant divergence
// of C from the identity (Kulis, Sustik and Dhillon, "Low-rank kernel learning with Bregman matrix divergences", 2009)
// less its trace: it pushes all singular values up, the smallest most.
double logDet(const Moments& moments, const EigenLossParameters& parameters, const MomentDerivatives& derivatives) {
  const double logDeterminant = moments.logDeterminant(parameters.at("epsilon"), derivatives.covariances);
  const double share = -1.0 / moments.width;
  for (int i = 0; i < moments.width; ++i) {
    for (int j = 0; j < moments.width; ++j) derivatives.covariances[i * moments.stride + j] *= share;
  }
  return share * logDeterminant;
}

}  // namespace eigenae
