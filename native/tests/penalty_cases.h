// Penalties as the tests of their values, gradients and accuracy take them.
#pragma once

#include <ostream>

#include "../core/spectral.h"
#include "matrices.h"

namespace eigenae::testing {

struct PenaltyCase {
  const char* kind;
  PenaltyParameters parameters;
  bool center;

  double operator()(const Matrix& z, int batch, Matrix& gradient, double scale = 1) const {
    gradient.assign(z.size(), 0.0);
    const int width = static_cast<int>(z.size()) / batch;
    return spectralPenalty(z.data(), batch, width, center, findPenalty(kind), parameters, scale, gradient.data());
  }
};

inline void PrintTo(const PenaltyCase& penalty, std::ostream* out) { *out << penalty.kind; }

inline const PenaltyCase penaltyCases[] = {
    {"top-k", {{"k", 1}}, false}, {"top-k", {{"k", 2}}, false}, {"top-k", {{"k", 2}}, true},
    {"log-max", {}, false},       {"log-max", {}, true},
};

}  // namespace eigenae::testing
