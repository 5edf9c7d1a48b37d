// Compares Adam's first step on a matrix with the reference.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "../reference/reference.h"
#include "panels.h"

namespace eigenae::testing {

struct TrainedMatrix {
  PanelMatrix w, m, v;

  TrainedMatrix(const Kernels& kernels, int rows, int columns)
      : w(kernels, rows, columns, 3), m(kernels, rows, columns), v(kernels, rows, columns) {}
  TrainedArrays places() { return {w.data(), m.data(), v.data(), nullptr}; }
};

// Expects `trained` to be `before` after Adam's first step with the gradient d · b.
inline void expectFirstStep(TrainedMatrix& trained, TrainedMatrix& before, PanelMatrix& d, PanelMatrix& b, int rows,
                            int depth, int columns) {
  std::vector<float> gradient, parameters, first(rows * columns), second(rows * columns);
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < columns; ++c) {
      float sum = 0;
      for (int k = 0; k < depth; ++k) sum += d.at(r, k) * b.at(k, c);
      gradient.push_back(sum);
      parameters.push_back(before.w.at(r, c));
    }
  }
  adamStep(AdamSpec(), 0.005, 1, gradient.data(), gradient.size(), parameters.data(), first.data(), second.data());
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < columns; ++c) {
      const int i = r * columns + c;
      ASSERT_NEAR(trained.m.at(r, c), first[i], 1e-5) << rows << " rows, depth " << depth;
      ASSERT_NEAR(trained.v.at(r, c), second[i], 1e-5 * std::abs(second[i]) + 1e-6);
      if (std::abs(gradient[i]) > 1e-3) {
        ASSERT_NEAR(trained.w.at(r, c), parameters[i], 1e-5);
      }
    }
  }
}

inline const OptimizerStep firstStep{.oneMinusBeta1 = 0.1f,
                                     .oneMinusBeta2 = 0.001f,
                                     .stepSize = 0.005f * std::sqrt(1 - 0.999f) / 0.1f,
                                     .epsilon = 1e-8f * std::sqrt(1 - 0.999f)};

}  // namespace eigenae::testing
