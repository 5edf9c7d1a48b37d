#include <cmath>

#include "eigen_losses.h"

namespace eigenae {

// f = (m² + v − 1 − ln(v + ε)) / 2 for each feature's mean m and biased variance v: kl-normal with the variances in
// place of the eigenvalues of the covariance, which it equals if the features are uncorrelated.
void klDiagonal(const FeatureMoments& moments, const EigenLossParameters& parameters, const FeatureLosses& losses) {
  const double epsilon = parameters.at("epsilon");
  for (int i = 0; i < moments.features; ++i) {
    const double mean = moments.means[i], variance = moments.variances[i];
    losses.values[i] = 0.5 * (mean * mean + variance - 1 - std::log(variance + epsilon));
    losses.byMeans[i] = mean;
    losses.byVariances[i] = 0.5 * (1 - 1 / (variance + epsilon));
  }
}

}  // namespace eigenae
