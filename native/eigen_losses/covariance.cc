#include "eigen_losses.h"

namespace eigenae {

// f = Σ C′ᵢⱼ² / d over all i ≠ j, with the unbiased covariance C′ = C · N / (N − 1) over d dimensions and N images: the
// covariance term of VICReg (Bardes, Ponce and LeCun, "VICReg", 2022, equation 4). ∂f/∂Cᵢⱼ = 2 C′ᵢⱼ · N / (N − 1) / d.
double covariance(const Moments& moments, const EigenLossParameters&, const MomentDerivatives& derivatives) {
  const double unbiased = moments.images / (moments.images - 1.0), share = unbiased * unbiased / moments.width;
  double sum = 0;
  for (int i = 0; i < moments.width; ++i) {
    for (int j = 0; j < moments.width; ++j) {
      if (i == j) continue;
      const double element = moments.covariance(i, j);
      sum += element * element;
      derivatives.covariances[i * moments.stride + j] = 2 * share * element;
    }
  }
  return share * sum;
}

}  // namespace eigenae
