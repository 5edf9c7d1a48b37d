#pragma once

#include "../kernels/kernels.h"

namespace eigenae {

// While it lives, this thread may call the kernels' products.
class KernelUse {
 public:
  explicit KernelUse(const Kernels& kernels) : kernels_(kernels) {
    if (kernels_.open != nullptr) kernels_.open();
  }
  ~KernelUse() {
    if (kernels_.close != nullptr) kernels_.close();
  }
  KernelUse(const KernelUse&) = delete;
  KernelUse& operator=(const KernelUse&) = delete;

 private:
  const Kernels& kernels_;
};

}  // namespace eigenae
