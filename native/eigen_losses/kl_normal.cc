#include "eigen_losses.h"

namespace eigenae {

// f = (‖m‖² + Σ (λᵢ − 1 − ln(λᵢ + ε))) / (2d), λ the eigenvalues of C: the divergence KL(N(m, C) ‖ N(0, I)) of the
// normal distribution with a layer's mean and covariance from the standard normal, over its d dimensions, with ε inside
// the logarithm (Kingma and Welling, "Auto-encoding variational Bayes", 2014, appendix B, for a full covariance).
// Σ λᵢ is the trace of C and Σ ln(λᵢ + ε) is ln det(C + εI), so ∂f/∂C = (I − (C + εI)⁻¹) / (2d) and ∂f/∂m = m / d.
double klNormal(const Moments& moments, const EigenLossParameters& parameters, const MomentDerivatives& derivatives) {
  const int width = moments.width;
  const double share = 0.5 / width;
  double sum = -width - moments.logDeterminant(parameters.at("epsilon"), derivatives.covariances);
  for (int i = 0; i < width; ++i) {
    double* row = derivatives.covariances + i * moments.stride;
    for (int j = 0; j < width; ++j) row[j] *= -share;
    row[i] += share;
    derivatives.means[i] = 2 * share * moments.means[i];
    sum += moments.means[i] * moments.means[i] + moments.covariance(i, i);
  }
  return share * sum;
}

}  // namespace eigenae
