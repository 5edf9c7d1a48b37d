#include <cmath>

#include "eigen_losses.h"

namespace eigenae {

// f = max(0, 1 − s) for each feature, with s = √(v + 1e-4) and its unbiased variance v: the variance term of VICReg
// (Bardes, Ponce and LeCun, "VICReg", 2022, equation 1) with its γ of 1. ∂f/∂v = −1 / (2s) if s < 1, otherwise 0.
void variance(const FeatureMoments& moments, const EigenLossParameters&, const FeatureLosses& losses) {
  constexpr double epsilon = 1e-4;
  const double unbiased = moments.images / (moments.images - 1.0);
  for (int i = 0; i < moments.features; ++i) {
    const double deviation = std::sqrt(unbiased * moments.variances[i] + epsilon);
    const bool isWide = deviation >= 1;  // false for NaN, which so reaches the loss
    losses.values[i] = isWide ? 0 : 1 - deviation;
    losses.byMeans[i] = 0;
    losses.byVariances[i] = isWide ? 0 : -0.5 * unbiased / deviation;
  }
}

}  // namespace eigenae
