#pragma once

#include <memory>

#include "../kernels/kernels.h"
#include "trainer.h"

namespace eigenae {

// The implementation on the given kernels and spec.threads threads.
std::unique_ptr<Trainer> createVectorTrainer(const TrainerSpec& spec, const Kernels& kernels);

}  // namespace eigenae
