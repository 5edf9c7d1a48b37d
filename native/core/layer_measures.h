// Measures of a hidden layer from the outputs of its linear map, in double.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "../kernels/kernels.h"

namespace eigenae {

struct LayerOutputs {
  const float* values;  // [count][width]
  int count, width;
  bool center;  // whether the eigenvalues are those of the centred matrix
  bool ranked;  // whether the eigenvalues are wanted
  // Batch norm in inference, x → scale · x + shift, [width] each; empty without batch norm.
  std::vector<double> scale, shift;

  const float* row(int image) const { return values + static_cast<std::size_t>(image) * width; }
};

struct LayerMeasures {
  int silentUnits = 0;              // units whose input to the activation, after batch norm, is over 0 for no image
  double meanVariance = 0;          // mean over the units of the biased variance over the images
  std::vector<double> eigenvalues;  // [width] of ZᵀZ, in no order; empty unless wanted
};

// All numbers have the same bits on every machine. Returns early once stop is not 0; the result is then meaningless.
LayerMeasures measureLayer(const LayerOutputs& outputs, const Kernels& kernels, const std::atomic<std::int32_t>& stop);

}  // namespace eigenae
