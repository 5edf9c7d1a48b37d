// Lists of nonzero elements, and the products that use them.
#include <gtest/gtest.h>

#include <vector>

#include "../core/sparse_factor.h"
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

class SparseProducts : public testing::KernelTest {};

EIGENAE_EVERY_INSTRUCTION_SET(SparseProducts);

// A matrix with the given percentage of nonzero elements. Some of its rows are empty.
class SparseMatrixCase {
 public:
  SparseMatrixCase(const Kernels& kernels, int rows, int depth, int percent)
      : factor(kernels, rows + 2, depth + 3), dense(kernels, rows, depth, 1) {
    std::uint32_t draw = 7;
    for (int r = 0; r < rows; ++r) {
      for (int k = 0; k < depth; ++k) {
        draw = draw * 1664525u + 1013904223u;
        if (r % 5 == 3 || static_cast<int>((draw >> 16) % 100) >= percent) dense.at(r, k) = 0;
      }
    }
    factor.list(dense.data(), dense.stride(), rows, depth);
  }

  SparseFactor factor;
  PanelMatrix dense;
};

TEST_P(SparseProducts, ListNonZerosLeavesOutZerosAlone) {
  for (const auto& [rows, depth] : shapes()) {
    for (const int percent : {0, 30, 100}) {
      SparseMatrixCase a(kernels(), rows, depth, percent);
      PanelMatrix listed(kernels(), rows, depth);
      const SparseMatrix& matrix = a.factor.matrix();
      std::size_t row = 0, at = 0;
      for (int begin = 0; begin < depth; begin += SparseMatrix::chunk) {
        for (int r = 0; r < rows; ++r, ++row) {
          for (; at < matrix.rowEnds[row]; ++at) {
            ASSERT_NE(matrix.values[at], 0);
            ASSERT_EQ(matrix.offsets[at] % width(), 0u);
            const int column = begin + static_cast<int>(matrix.offsets[at]) / width();
            ASSERT_LT(column, depth);
            listed.at(r, column) += matrix.values[at];
          }
        }
      }
      for (int r = 0; r < rows; ++r) {
        for (int k = 0; k < depth; ++k)
          ASSERT_EQ(listed.at(r, k), a.dense.at(r, k)) << rows << " rows, depth " << depth;
      }
    }
  }
}

// All elements of a row with few of them may have one sign: then every partial sum is as large as the sum of their
// sizes.
TEST_P(SparseProducts, MultiplySparseIsTheProductToAFloatsPrecision) {
  for (const auto& [rows, depth] : shapes()) {
    const int columns = rows * depth % 150 + 1, panels = (columns + width() - 1) / width();
    SparseMatrixCase a(kernels(), rows, depth, 30);
    PanelMatrix b(kernels(), depth, columns, 2), out(kernels(), rows, columns, 3);
    kernels().multiplySparse(a.factor.matrix(), b.data(), b.stride(), panels, out.data(), out.stride());
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < columns; ++c) {
        Product product;
        for (int k = 0; k < depth; ++k) product.add(a.dense.at(r, k), b.at(k, c));
        ASSERT_NEAR(out.at(r, c), product.sum, 2 * exactness * product.size) << rows << " rows, depth " << depth;
      }
    }
  }
}

TEST_P(SparseProducts, MultiplySampledComputesTheListedElementsAndScatterPartialSumsTransposesThem) {
  for (const auto& [rows, depth] : shapes()) {
    const int columns = rows * depth % 150 + 1, panels = (columns + width() - 1) / width();
    SparseMatrixCase a(kernels(), rows, depth, 30);
    PanelMatrix x(kernels(), rows, columns, 2), w(kernels(), depth, columns, 3);
    const AlignedFloats once = alignedFloats(rows * depth + 15), twice = alignedFloats(rows * depth + 15);
    for (const bool add : {false, true}) {
      for (float* out : {once.get(), twice.get()}) {
        if (add && out == once.get()) continue;
        kernels().multiplySampled(a.factor.matrix(), x.data(), x.stride(), w.data(), w.stride(), panels, add, out);
      }
    }
    for (int firstRow = 0; firstRow < rows; firstRow += width()) {
      PanelMatrix spread(kernels(), depth, width(), 4);
      kernels().scatterPartialSums(a.factor.matrix(), {{once.get(), twice.get()}, 2, {1, 1}}, firstRow, spread.data());
      for (int c = 0; c < width(); ++c) {
        for (int k = 0; k < depth; ++k) {
          const int r = firstRow + c;
          Product product;
          if (r < rows && a.dense.at(r, k) != 0) {
            for (int i = 0; i < columns; ++i) product.add(x.at(r, i), w.at(k, i));
          }
          ASSERT_NEAR(spread.at(k, c), 3 * product.sum, 3 * exactness * product.size)
              << rows << " rows, depth " << depth;
        }
      }
    }
  }
}

TEST_P(SparseProducts, MultiplySampledOfNoPanelsIsZero) {
  SparseMatrixCase a(kernels(), 5, 7, 100);
  std::vector<float> out(5 * 7, 3);
  PanelMatrix unused(kernels(), 7, 1);
  kernels().multiplySampled(a.factor.matrix(), unused.data(), unused.stride(), unused.data(), unused.stride(), 0, false,
                            out.data());
  for (std::size_t i = 0; i < a.factor.matrix().rowEnds[4]; ++i) EXPECT_EQ(out[i], 0);
}

TEST_P(SparseProducts, TrainWeightsSparseIsAdamOnTheProduct) {
  for (const auto& [rows, depth] : shapes()) {
    const int columns = rows * depth % 150 + 1, panels = (columns + width() - 1) / width();
    SparseMatrixCase d(kernels(), rows, depth, 30);
    PanelMatrix b(kernels(), depth, columns, 2);
    TrainedMatrix before(kernels(), rows, columns), trained(kernels(), rows, columns);
    kernels()
        .updatesOf(Optimizer::adam, false)
        .weightsSparse(d.factor.matrix(), b.data(), b.stride(), panels, trained.places(), trained.w.stride(),
                       firstStep);
    expectFirstStep(trained, before, d.dense, b, rows, depth, columns);
  }
}

}  // namespace
}  // namespace eigenae
