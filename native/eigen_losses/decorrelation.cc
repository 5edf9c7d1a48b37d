#include "eigen_losses.h"

namespace eigenae {

// f = Σ Rᵢⱼ² over all i ≠ j, with the correlations R = ẐᵀẐ / N of the features ẑ = (z − m) / √(v + 1e-5), v their
// biased variances: the redundancy reduction term of Barlow Twins (Zbontar et al., "Barlow Twins", 2021, equation 1),
// between a layer and itself instead of between two views.
//
// Rᵢⱼ² = Cᵢⱼ² / (aᵢ aⱼ) with a = v + 1e-5, so ∂f/∂Cᵢⱼ = 2 Cᵢⱼ / (aᵢ aⱼ) and ∂f/∂Cᵢᵢ = −2 Σⱼ Rᵢⱼ² / aᵢ, since each pair
// counts twice.
double decorrelation(const Moments& moments, const EigenLossParameters&, const MomentDerivatives& derivatives) {
  constexpr double epsilon = 1e-5;
  double sum = 0;
  for (int i = 0; i < moments.width; ++i) {
    double* row = derivatives.covariances + i * moments.stride;
    const double square = moments.covariance(i, i) + epsilon;
    double squares = 0;
    for (int j = 0; j < moments.width; ++j) {
      if (i == j) continue;
      const double element = moments.covariance(i, j);
      row[j] = 2 * element / (square * (moments.covariance(j, j) + epsilon));
      squares += 0.5 * element * row[j];
    }
    row[i] = -2 * squares / square;
    sum += squares;
  }
  return sum;
}

}  // namespace eigenae
