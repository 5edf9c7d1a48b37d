// Compares the dense products and the updates after them with their definitions on odd sizes.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "first_step.h"
#include "kernel_fixture.h"

namespace eigenae {
namespace {

using testing::exactness;
using testing::expectFirstStep;
using testing::firstStep;
using testing::PanelMatrix;
using testing::Product;
using testing::shapes;
using testing::TrainedMatrix;

class DenseProducts : public testing::KernelTest {};

EIGENAE_EVERY_INSTRUCTION_SET(DenseProducts);

TEST_P(DenseProducts, MultiplyIsTheProductToAFloatsPrecisionAndAddsIt) {
  for (const auto& [rows, depth] : shapes()) {
    PanelMatrix a(kernels(), rows, depth, 1), b(kernels(), depth, width(), 2), out(kernels(), rows, width());
    PanelMatrix twice(kernels(), rows, width());
    const float* factor = pack(b, depth).data;
    kernels().multiply(a.data(), a.stride(), rows, depth, factor, false, out.data());
    kernels().multiply(a.data(), a.stride(), rows, depth, factor, false, twice.data());
    kernels().multiply(a.data(), a.stride(), rows, depth, factor, true, twice.data());
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < width(); ++c) {
        Product product;
        for (int k = 0; k < depth; ++k) product.add(a.at(r, k), b.at(k, c));
        ASSERT_NEAR(out.at(r, c), product.sum, exactness * product.size) << rows << " rows, depth " << depth;
        ASSERT_EQ(twice.at(r, c), 2 * out.at(r, c)) << rows << " rows, depth " << depth;
      }
    }
  }
}

TEST_P(DenseProducts, MultiplyTransposedIsTheProductToAFloatsPrecision) {
  for (const auto& [columns, depth] : shapes()) {
    PanelMatrix a(kernels(), depth, columns, 1), b(kernels(), depth, width(), 2), out(kernels(), columns, width());
    kernels().multiplyTransposed(a.data(), a.stride(), columns, depth, b.data(), out.data());
    for (int r = 0; r < columns; ++r) {
      for (int c = 0; c < width(); ++c) {
        Product product;
        for (int k = 0; k < depth; ++k) product.add(a.at(k, r), b.at(k, c));
        ASSERT_NEAR(out.at(r, c), product.sum, exactness * product.size) << columns << " columns, depth " << depth;
      }
    }
  }
}

TEST_P(DenseProducts, AddPartialSumsAddsGroupByGroup) {
  constexpr int rows = 37;
  std::vector<PanelMatrix> memory;
  for (std::uint32_t i = 0; i < 8; ++i) memory.emplace_back(kernels(), rows, width(), i + 1);
  PanelMatrix out(kernels(), rows, width());
  for (const auto& [first, second] : {std::pair{1, 1}, {3, 3}, {4, 4}, {1, 4}}) {
    PartialSums sums{{}, 2, {first, second}};
    for (int i = 0; i < first + second; ++i) sums.sums[i] = memory[i].data();
    kernels().addPartialSums(sums, rows, out.data());
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < width(); ++c) {
        float x = memory[0].at(r, c), y = memory[first].at(r, c);
        for (int i = 1; i < first; ++i) x += memory[i].at(r, c);
        for (int i = 1; i < second; ++i) y += memory[first + i].at(r, c);
        ASSERT_EQ(out.at(r, c), x + y) << first << " and " << second << " sums";
      }
    }
  }
}

// The number of threads decides which of the two is used.
TEST_P(DenseProducts, AProductAddsUpToTheSameBitsWhetherItIsAddedToAnotherOrItsOwn) {
  constexpr int rows = 37;
  for (const int depth : {1, 31, 64, 129, 160, 301}) {
    PanelMatrix first(kernels(), rows, width()), second(kernels(), rows, width()), both(kernels(), rows, width());
    const auto multiply = [&](std::uint32_t seed, bool add, PanelMatrix& to) {
      PanelMatrix a(kernels(), rows, depth, seed), b(kernels(), depth, width(), seed + 1);
      kernels().multiply(a.data(), a.stride(), rows, depth, pack(b, depth).data, add, to.data());
    };
    multiply(1, false, first);
    multiply(3, false, second);
    multiply(1, false, both);
    multiply(3, true, both);
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < width(); ++c) {
        ASSERT_EQ(both.at(r, c), first.at(r, c) + second.at(r, c)) << "depth " << depth;
      }
    }
  }
}

TEST_P(DenseProducts, TrainWeightsIsAdamOnTheProduct) {
  for (const auto& [rows, depth] : shapes()) {
    const int columns = rows * depth % 41 + 1;
    PanelMatrix d(kernels(), rows, depth, 1), b(kernels(), depth, columns, 2);
    TrainedMatrix before(kernels(), rows, columns), trained(kernels(), rows, columns);
    const PackedFactor factor = pack(b, depth, columns);
    kernels()
        .updatesOf(Optimizer::adam, false)
        .weights(d.data(), d.stride(), rows, depth, factor.data, factor.stride, columns, trained.places(),
                 trained.w.stride(), firstStep);
    expectFirstStep(trained, before, d, b, rows, depth, columns);
  }
}

// Parameters start at 0, so that they are as exact as the update.
TEST_P(DenseProducts, TrainWeightsMovesParametersByTheirMomentsToAFloatsPrecision) {
  const OptimizerStep step{.oneMinusBeta1 = 0.1f, .oneMinusBeta2 = 0.001f, .stepSize = 0.0016f, .epsilon = 3e-10f};
  for (const auto& [rows, depth] : {std::pair{1, 1}, {17, 31}, {97, 64}, {70, 301}}) {
    constexpr int columns = 37;
    PanelMatrix d(kernels(), rows, depth, 1), b(kernels(), depth, columns, 2);
    PanelMatrix w(kernels(), rows, columns), m(kernels(), rows, columns, 3), v(kernels(), rows, columns, 4);
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < columns; ++c) v.at(r, c) *= v.at(r, c);
    }
    const PackedFactor factor = pack(b, depth, columns);
    kernels()
        .updatesOf(Optimizer::adam, false)
        .weights(d.data(), d.stride(), rows, depth, factor.data, factor.stride, columns,
                 {w.data(), m.data(), v.data(), nullptr}, w.stride(), step);
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < columns; ++c) {
        const double update = step.stepSize * double{m.at(r, c)} / (std::sqrt(double{v.at(r, c)}) + step.epsilon);
        ASSERT_NEAR(w.at(r, c), -update, 5 * 0x1p-23 * std::abs(update)) << rows << " rows, depth " << depth;
      }
    }
  }
}

}  // namespace
}  // namespace eigenae
