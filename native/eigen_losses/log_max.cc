#include <cmath>

#include "eigen_losses.h"

namespace eigenae {

// f = ln(λ₁ / Σλ) with λ = σ², so ∂f/∂σᵢ = 2·[i = 1]/σ₁ − 2·σᵢ/Σλ.
double logMax(const double* singularValues, int count, const EigenLossParameters&, double* derivatives) {
  double sum = 0;
  for (int i = 0; i < count; ++i) sum += singularValues[i] * singularValues[i];
  for (int i = 0; i < count; ++i) derivatives[i] = -2 * singularValues[i] / sum;
  derivatives[0] += 2 / singularValues[0];
  return std::log(singularValues[0] * singularValues[0] / sum);
}

}  // namespace eigenae
