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
    share_ = static_cast<double>(kernels_->listNonZeros(x, stride, matrix_)) / rows / depth;
  }
  // For a matrix that is known to have hardly a zero.
  void listNothing() { share_ = 1; }

  // Whether a product takes less time by the list than with all the zeros: of the matrix with another one, or of two
  // others where the matrix is not 0.
  bool savesAsFactor() const { return share_ < evenAsFactor; }
  bool savesWhereListed() const { return share_ < evenWhereListed; }
  // The time of such a product, of that with all the zeros.
  double timeAsFactor() const { return savesAsFactor() ? share_ / evenAsFactor : 1; }
  double timeWhereListed() const { return savesWhereListed() ? share_ / evenWhereListed : 1; }
  const SparseMatrix& matrix() const { return matrix_; }

 private:
  static constexpr int surplus = 15;
  static constexpr double evenAsFactor = 0.7, evenWhereListed = 0.45;  // about the shares at which they are on a Zen 4

  const Kernels* kernels_;
  std::vector<std::uint32_t> ends_, places_;
  AlignedFloats values_;
  SparseMatrix matrix_;
  double share_ = 1;
};

}  // namespace eigenae
