#pragma once

#include <cstdint>
#include <vector>

#include "../kernels/kernels.h"
#include "aligned.h"

namespace eigenae {

// A matrix of which the nonzero elements are listed if that makes its products faster. One matrix at a time.
class SparseFactor {
 public:
  SparseFactor(const Kernels& kernels, int rows, int depth)
      : kernels_(&kernels),
        rowEnds_(static_cast<std::size_t>(rows) * ((depth + SparseMatrix::chunk - 1) / SparseMatrix::chunk)),
        offsets_(static_cast<std::size_t>(rows) * depth + padding),
        values_(alignedFloats(offsets_.size())),
        matrix_{rows, depth, rowEnds_.data(), offsets_.data(), values_.get()} {}

  // Lists the nonzero elements of x [rows][depth]. The list is valid until the next call.
  void list(const float* x, std::size_t stride, int rows, int depth) {
    matrix_.rows = rows;
    matrix_.depth = depth;
    share_ = static_cast<double>(kernels_->listNonZeros(x, stride, matrix_)) / rows / depth;
  }

  // Treats the matrix as one without zeros, which saves making a list.
  void assumeDense() { share_ = 1; }

  // Whether a sparse kernel is faster than the dense one: with the matrix as a left factor, or as the mask of a sampled
  // product of two other matrices.
  bool fasterAsFactor() const { return share_ < breakEvenAsFactor; }
  bool fasterAsMask() const { return share_ < breakEvenAsMask; }

  // Estimated time of such a product relative to the dense one.
  double costAsFactor() const { return fasterAsFactor() ? share_ / breakEvenAsFactor : 1; }
  double costAsMask() const { return fasterAsMask() ? share_ / breakEvenAsMask : 1; }

  const SparseMatrix& matrix() const { return matrix_; }

 private:
  static constexpr int padding = 15;
  // Shares of nonzero elements at which both kernels take equally long on a Zen 4.
  static constexpr double breakEvenAsFactor = 0.7, breakEvenAsMask = 0.45;

  const Kernels* kernels_;
  std::vector<std::uint32_t> rowEnds_, offsets_;
  AlignedFloats values_;
  SparseMatrix matrix_;
  double share_ = 1;
};

}  // namespace eigenae
