// The factors of a step, from the spec.
#pragma once

#include <cstdint>

#include "../kernels/kernels.h"
#include "trainer.h"

namespace eigenae {

Optimizer optimizerOf(const TrainerSpec& spec);

// step counts from 1. The averages of the first step are copies.
OptimizerStep stepFactors(const TrainerSpec& spec, std::int64_t step, double learningRate);

}  // namespace eigenae
