// Singular values of a batch's latent codes, and the gradient of any function of them. All in double.
#pragma once

#include <vector>

#include "../penalties/penalties.h"

namespace eigenae {

// Z = U Σ Vᵀ for Z [batch][latent], batch ≥ latent.
struct SingularValues {
  int batch = 0;
  int latent = 0;
  std::vector<double> values;     // σ [latent], largest first
  std::vector<double> vectors;    // V [latent][latent], its columns in the order of the values
  std::vector<double> projected;  // Z·V [batch][latent], column i of length σᵢ
};

SingularValues decompose(const double* latent, int batch, int width);

// Returns f(σ(Z)) for Z = latent [batch][width] and adds scale · ∂f/∂Z to gradient [batch][width]. With `center`, Z is
// latent less its column means.
double spectralPenalty(const double* latent, int batch, int width, bool center, PenaltyFunction penalty,
                       const PenaltyParameters& parameters, double scale, double* gradient);

}  // namespace eigenae
