#include <cmath>

#include "eigen_losses.h"

namespace eigenae {

// f = ln d + Σ p ln p with p = σ/Σσ, so ∂f/∂σᵢ = (ln pᵢ − Σ p ln p) / Σσ. It is ln d − ln(effective rank), the
// effective rank of Roy and Vetterli (2007). Where p = 0, p ln p has the limit 0 and the derivative has none; it is
// left at 0.
double entropy(const double* singularValues, int count, const EigenLossParameters&, double* derivatives) {
  double sum = 0;
  for (int i = 0; i < count; ++i) sum += singularValues[i];
  double negativeEntropy = 0;
  for (int i = 0; i < count; ++i) {
    const double share = singularValues[i] / sum;
    derivatives[i] = share > 0 ? std::log(share) : 0;
    negativeEntropy += share * derivatives[i];
  }
  for (int i = 0; i < count; ++i) {
    derivatives[i] = singularValues[i] > 0 ? (derivatives[i] - negativeEntropy) / sum : 0;
  }
  return std::log(count) + negativeEntropy;
}

}  // namespace eigenae
