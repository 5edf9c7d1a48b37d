// The left factor of a product as the list of what is not 0 in it.
#pragma once

#include <cstdint>
#include <vector>

#include "../kernels/kernels.h"
#include "aligned.h"

namespace eigenae {

// Room for what Kernels::listNonZeros makes of one matrix at a time.
class SparseFactor {
 public:
  SparseFactor(const Kernels& kernels, int rows, int depth)
      : kernels_(&kernels),
        ends_(static_cast<std::size_t>(rows) * ((depth + SparseMatrix::chunk - 1) / SparseMatrix::chunk)),
        places_(static_cast<std::size_t>(rows) * depth + surplus),
        values_(alignedFloats(places_.size())),
        matrix_{rows, depth, ends_.data(), places_.data(), values_.get()} {}

  // What is not 0 of x [rows][depth], until the next call.
  void list(const float* x, std::size_t stride, int rows, int depth) {
    matrix_.rows = rows;
    matrix_.depth = depth;
    const std::size_t count = kernels_->listNonZeros(x, stride, matrix_);
    saves_ = static_cast<double>(count) < densest * rows * depth;
  }

  // Whether a product by the list takes less time than one with all the zeros.
  bool saves() const { return saves_; }
  const SparseMatrix& matrix() const { return matrix_; }

 private:
  static constexpr int surplus = 15;
  static constexpr double densest = 0.7;  // on a Zen 4 they are even at 0.7 to 0.8, weights' gradients at 0.75

  const Kernels* kernels_;
  std::vector<std::uint32_t> ends_, places_;
  AlignedFloats values_;
  SparseMatrix matrix_;
  bool saves_ = false;
};

}  // namespace eigenae
