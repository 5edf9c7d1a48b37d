// Eigen losses on the singular values of a batch's latent codes. A new one is one file with its formula and its
// derivatives, declared and listed in eigen_losses.cc; the gradient, centring and degenerate cases are spectral.cc's.
#pragma once

#include <map>
#include <string>

namespace eigenae {

using EigenLossParameters = std::map<std::string, double>;

// Returns f(σ) and writes ∂f/∂σᵢ, for [count] singular values σ₁ ≥ … ≥ σ_d ≥ 0 with σ₁ > 0.
using EigenLossFunction = double (*)(const double* singularValues, int count, const EigenLossParameters& parameters,
                                   double* derivatives);

// Throws std::invalid_argument for a kind that is not in the table.
EigenLossFunction findEigenLoss(const std::string& kind);

}  // namespace eigenae
