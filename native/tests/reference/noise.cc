#include "noise.h"

#include <algorithm>

#include "../../core/random.h"

namespace eigenae {

void addNoise(const Noise& noise, std::uint32_t image, int inputs, float* pixels) {
  if (noise.deviation == 0) return;
  for (int first = 0; first < inputs; first += 4) {
    const auto values = normals(noise.seed, noise.purpose, noise.epoch, image, first / 4);
    const int used = std::min(4, inputs - first);
    for (int i = 0; i < used; ++i) pixels[first + i] += noise.deviation * values[i];
  }
}

}  // namespace eigenae
