// Specs, states and losses as the arrays of numbers in which JavaScript passes them, for the addon, WebAssembly and
// CUDA. src/engines/core.ts has the other half.
#pragma once

#include <cstddef>
#include <vector>

#include "layout.h"
#include "trainer.h"

namespace eigenae {

// Throws std::invalid_argument if the array ends early or a formula is not one of its layer.
TrainerSpec decodeSpec(const double* numbers, std::size_t count);

// A state's arrays follow one another in the order of `State`.
std::size_t stateLength(const Layout& layout);
State decodeState(const Layout& layout, double step, const float* numbers);
void encodeState(const State& state, const Layout& layout, float* numbers);

// Returns the loss, the squared error, the number of images, and for each eigen loss its value, its weighted value and
// its number of images.
std::vector<double> encodeLosses(const Losses& losses);

}  // namespace eigenae
