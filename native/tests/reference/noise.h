#pragma once

#include "../../core/trainer.h"

namespace eigenae {

// pixels [inputs] += deviation · N(0, 1), the field's numbers of this image.
void addNoise(const Noise& noise, std::uint32_t image, int inputs, float* pixels);

}  // namespace eigenae
