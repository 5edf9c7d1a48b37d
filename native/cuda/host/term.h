// An eigen loss as the kernel takes it.
#pragma once

#include "../../core/trainer.h"
#include "../kernel/arguments.h"

namespace eigenae::cuda {

// Returns the term of an eigen loss on the latent layer alone. The code and the constants of its formula have been
// copied to the given addresses.
inline Term termOf(const EigenLossSpec& eigenLoss, const int* code, const double* constants) {
  const Tape& tape = eigenLoss.formulas.front();
  static_assert(nowhere == Tape::nowhere, "places are passed as they are");
  return {.formula = {.code = code,
                      .constants = constants,
                      .instructions = tape.instructions(),
                      .constantCount = static_cast<int>(tape.constants.size()),
                      .value = tape.value,
                      .images = tape.input(FormulaInput::images),
                      .sigma = tape.input(FormulaInput::sigma),
                      .mean = tape.input(FormulaInput::mean),
                      .variance = tape.input(FormulaInput::variance),
                      .covariance = tape.input(FormulaInput::covariance),
                      .bySigma = tape.derivative(FormulaInput::sigma),
                      .byMean = tape.derivative(FormulaInput::mean),
                      .byVariance = tape.derivative(FormulaInput::variance),
                      .byCovariance = tape.derivative(FormulaInput::covariance)},
          .center = eigenLoss.center ? 1 : 0,
          .minimumImages = eigenLoss.minimumImages};
}

// Returns the doubles that the largest formula of a network needs in a thread block.
inline int scratchSizeOf(const TrainerSpec& spec) {
  int size = 0;
  for (const EigenLossSpec& each : spec.eigenLosses)
    if (each.formulas.front().scratchSize > size) size = each.formulas.front().scratchSize;
  return size;
}

}  // namespace eigenae::cuda
