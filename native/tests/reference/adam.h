#pragma once

#include <cstddef>
#include <cstdint>

#include "../../core/trainer.h"

namespace eigenae {

// One step on [count] parameters; `step` counts from 1.
void adamStep(const AdamSpec& adam, std::int64_t step, const float* gradient, std::size_t count, float* parameters,
              float* firstMoments, float* secondMoments);

}  // namespace eigenae
