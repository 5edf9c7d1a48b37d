// Specs, states and losses as the arrays of numbers in which JavaScript passes them, for the addon, WebAssembly and
// CUDA. src/engines/core.ts has the other half.
#pragma once

#include <cstddef>
#include <vector>

#include "trainer.h"

namespace eigenae {

// Throws std::invalid_argument if the array ends early or a formula is not one of its layer.
TrainerSpec decodeSpec(const double* numbers, std::size_t count);

// The lengths of a state's arrays.
struct StateSizes {
  std::size_t parameters = 0, statistics = 0;
  bool averaged = false;

  std::size_t total() const { return (3 + averaged) * parameters + (1 + averaged) * statistics; }
};

// A state's arrays follow one another in the order of `State`.
State decodeState(double step, const float* numbers, const StateSizes& sizes);
void encodeState(const State& state, const StateSizes& sizes, float* numbers);

// Returns the loss, the squared error, the number of images, and for each eigen loss its value, its weighted value and
// its number of images.
std::vector<double> encodeLosses(const Losses& losses);

}  // namespace eigenae
