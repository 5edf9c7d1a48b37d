// The eigen losses that the tests of values, gradients and accuracy cover.
#pragma once

#include <ostream>

#include "../core/spectral.h"
#include "matrices.h"

namespace eigenae::testing {

struct EigenLossCase {
  const char* kind;
  EigenLossParameters parameters;
  bool center;
  // Adds ln d to the value, so that an additional dead dimension changes it by a known amount.
  bool hasLogOfWidth = false;

  double operator()(const Matrix& z, int batch, Matrix& gradient, double scale = 1) const {
    gradient.assign(z.size(), 0.0);
    const int width = static_cast<int>(z.size()) / batch;
    return spectralEigenLoss(z.data(), batch, width, center, findEigenLoss(kind), parameters, scale, gradient.data());
  }
};

inline void PrintTo(const EigenLossCase& eigenLoss, std::ostream* out) { *out << eigenLoss.kind; }

inline const EigenLossCase eigenLossCases[] = {
    {"top-k", {{"k", 1}}, false}, {"top-k", {{"k", 2}}, false}, {"top-k", {{"k", 2}}, true}, {"log-max", {}, false},
    {"log-max", {}, true},        {"entropy", {}, false, true}, {"entropy", {}, true, true},
};

}  // namespace eigenae::testing
