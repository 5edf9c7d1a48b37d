// Matrices in panels, for the tests.
#pragma once

#include <cstddef>
#include <vector>

#include "../core/aligned.h"
#include "../core/instruction_set.h"
#include "matrices.h"

namespace eigenae::testing {

class PanelMatrix {
 public:
  PanelMatrix(const Kernels& kernels, int rows, int columns, std::uint32_t seed = 0)
      : width_(kernels.panelColumns), rows_((rows + width_ - 1) / width_ * width_) {
    const int panels = (columns + width_ - 1) / width_;
    data_ = alignedFloats(static_cast<std::size_t>(panels) * stride());
    if (seed == 0) return;
    const Matrix values = randomMatrix(rows, columns, seed);
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < columns; ++c)
        at(r, c) = static_cast<float>(values[static_cast<std::size_t>(r) * columns + c]);
    }
  }

  float& at(int row, int column) {
    return data_[column / width_ * stride() + static_cast<std::size_t>(row) * width_ + column % width_];
  }
  float* data() { return data_.get(); }
  float* panel(int index) { return data_.get() + index * stride(); }
  std::size_t stride() const { return static_cast<std::size_t>(rows_) * width_; }

 private:
  int width_, rows_;
  AlignedFloats data_;
};

}  // namespace eigenae::testing
