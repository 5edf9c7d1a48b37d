// Right factors of products as the kernels want them, see Kernels::prepare.
#pragma once

#include "../kernels/kernels.h"
#include "aligned.h"

namespace eigenae {

struct PreparedFactor {
  const float* data;
  std::size_t stride;  // from panel to panel
};

// Room for what Kernels::prepare makes of one matrix at a time.
class Prepared {
 public:
  explicit Prepared(const Kernels& kernels) : kernels_(&kernels) {}

  // Room for a matrix [depth] of so many panels.
  void reserve(int depth, int panels) {
    if (kernels_->prepare == nullptr) return;
    const std::size_t size = kernels_->preparedFloats(depth) * panels;
    if (size <= size_) return;
    size_ = size;
    room_ = alignedFloats(size);
  }

  // The panels of b [depth], until the next call.
  PreparedFactor operator()(const float* b, std::size_t stride, int depth, int panels = 1) {
    if (kernels_->prepare == nullptr) return {b, stride};
    const std::size_t size = kernels_->preparedFloats(depth);
    for (int p = 0; p < panels; ++p) kernels_->prepare(b + p * stride, depth, room_.get() + p * size);
    return {room_.get(), size};
  }

 private:
  const Kernels* kernels_;
  std::size_t size_ = 0;
  AlignedFloats room_;
};

}  // namespace eigenae
