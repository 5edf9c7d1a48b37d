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
    {.kind = "top-k", .parameters = {{"k", 1}}, .center = false},
    {.kind = "top-k", .parameters = {{"k", 2}}, .center = false},
    {.kind = "top-k", .parameters = {{"k", 2}}, .center = true},
    {.kind = "log-max", .parameters = {}, .center = false},
    {.kind = "log-max", .parameters = {}, .center = true},
    {.kind = "entropy", .parameters = {}, .center = false, .hasLogOfWidth = true},
    {.kind = "entropy", .parameters = {}, .center = true, .hasLogOfWidth = true},
};

}  // namespace eigenae::testing
