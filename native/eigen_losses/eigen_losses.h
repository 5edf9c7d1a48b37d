// Eigen losses: functions of the singular values of a batch's embedding. A new one is a file with its formula and its
// derivatives, which is declared and listed in eigen_losses.cc. core/spectral.cc computes the gradient with respect to
// the embedding and handles centring and degenerate cases.
#pragma once

#include <map>
#include <string>

namespace eigenae {

using EigenLossParameters = std::map<std::string, double>;

// Returns f(σ) and writes derivatives [count] = ∂f/∂σᵢ, for singular values [count] σ₁ ≥ … ≥ σ_d ≥ 0 with σ₁ > 0.
using EigenLossFunction = double (*)(const double* singularValues, int count, const EigenLossParameters& parameters,
                                     double* derivatives);

// Throws std::invalid_argument if no eigen loss has this kind.
EigenLossFunction findEigenLoss(const std::string& kind);

}  // namespace eigenae
