#include "eigen_losses.h"

namespace eigenae {

// f = (σ₁ + … + σ_k) / Σσ, so ∂f/∂σᵢ = ([i ≤ k] − f) / Σσ.
double topK(const double* singularValues, int count, const EigenLossParameters& parameters, double* derivatives) {
  const int k = static_cast<int>(parameters.at("k"));
  double top = 0, sum = 0;
  for (int i = 0; i < count; ++i) {
    if (i < k) top += singularValues[i];
    sum += singularValues[i];
  }
  const double share = top / sum;
  for (int i = 0; i < count; ++i) derivatives[i] = ((i < k ? 1 : 0) - share) / sum;
  return share;
}

}  // namespace eigenae
