// The eigen losses that the tests of values, gradients and accuracy cover.
#pragma once

#include <algorithm>
#include <cstring>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "../core/layer_matrix.h"
#include "matrices.h"

namespace eigenae::testing {

struct EigenLossCase {
  const char* kind;
  EigenLossParameters parameters;
  bool center;
  // Adds ln d to the value, so that an additional dead dimension changes it by a known amount.
  bool hasLogOfWidth = false;

  const EigenLossFormula& formula() const { return findEigenLoss(kind); }

  // Returns the loss of z and sets the gradient to scale · its gradient.
  double operator()(const Matrix& z, int batch, Matrix& gradient, double scale = 1) const {
    gradient.assign(z.size(), 0.0);
    const int width = static_cast<int>(z.size()) / batch;
    return eigenLossOf(z.data(), batch, width, formula(), center, parameters, scale, gradient.data());
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
    {.kind = "log-det", .parameters = {{"epsilon", 0.01}}, .center = false},
    {.kind = "log-det", .parameters = {{"epsilon", 0.01}}, .center = true},
    {.kind = "kl-normal", .parameters = {{"epsilon", 0.01}}, .center = false},
    {.kind = "kl-diagonal", .parameters = {{"epsilon", 0.01}}, .center = false},
    {.kind = "variance", .parameters = {}, .center = false},
    {.kind = "covariance", .parameters = {}, .center = false},
    {.kind = "decorrelation", .parameters = {}, .center = false},
};

// The functions of the singular values.
inline std::vector<EigenLossCase> spectrumCases() {
  std::vector<EigenLossCase> cases;
  std::copy_if(std::begin(eigenLossCases), std::end(eigenLossCases), std::back_inserter(cases),
               [](const EigenLossCase& each) { return each.formula().ofSpectrum != nullptr; });
  return cases;
}

inline std::string caseName(const ::testing::TestParamInfo<EigenLossCase>& info) {
  std::string name = info.param.kind;
  if (info.param.parameters.count("k") != 0)
    name += '_' + std::to_string(static_cast<int>(info.param.parameters.at("k")));
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
