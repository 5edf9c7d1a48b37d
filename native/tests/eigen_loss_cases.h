// The eigen losses that the tests of values, gradients and accuracy cover.
#pragma once

#include <algorithm>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "../core/layer_matrix.h"
#include "matrices.h"
#include "tapes.h"

namespace eigenae::testing {

// Returns the loss of z and sets the gradient to scale · its gradient.
inline double evaluate(const EigenLossCase& eigenLoss, const Matrix& z, int batch, Matrix& gradient, double scale = 1) {
  gradient.assign(z.size(), 0.0);
  const int width = static_cast<int>(z.size()) / batch;
  return eigenLossOf(z.data(), batch, width, eigenLoss.formula(width), eigenLoss.center, scale, gradient.data());
}

inline void PrintTo(const EigenLossCase& eigenLoss, std::ostream* out) { *out << eigenLoss.kind; }

inline const EigenLossCase eigenLossCases[] = {
    {.kind = "top-k", .parameter = 1},
    {.kind = "top-k", .parameter = 2},
    {.kind = "top-k", .parameter = 2, .center = true},
    {.kind = "log-max"},
    {.kind = "log-max", .center = true},
    {.kind = "entropy", .hasLogOfWidth = true},
    {.kind = "entropy", .center = true, .hasLogOfWidth = true},
    {.kind = "log-det", .parameter = 0.01},
    {.kind = "log-det", .parameter = 0.01, .center = true},
    {.kind = "kl-normal", .parameter = 0.01},
    {.kind = "kl-diagonal", .parameter = 0.01},
    {.kind = "variance"},
    {.kind = "covariance"},
    {.kind = "decorrelation"},
};

// The functions of the singular values.
inline std::vector<EigenLossCase> spectrumCases() {
  std::vector<EigenLossCase> cases;
  std::copy_if(std::begin(eigenLossCases), std::end(eigenLossCases), std::back_inserter(cases),
               [](const EigenLossCase& each) { return each.formula(3).uses(FormulaInput::sigma); });
  return cases;
}

inline std::string caseName(const ::testing::TestParamInfo<EigenLossCase>& info) {
  std::string name = info.param.kind;
  if (name == "top-k") name += '_' + std::to_string(static_cast<int>(info.param.parameter));
  std::replace(name.begin(), name.end(), '-', '_');
  return name + (info.param.center ? "_centered" : "");
}

inline bool allFinite(const Matrix& matrix) {
  return std::all_of(matrix.begin(), matrix.end(), [](double value) { return std::isfinite(value); });
}

inline bool allZero(const Matrix& matrix) {
  return std::all_of(matrix.begin(), matrix.end(), [](double value) { return value == 0; });
}

}  // namespace eigenae::testing
