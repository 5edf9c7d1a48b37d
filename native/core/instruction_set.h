// Selects the kernels that this processor can run.
#pragma once

#include <vector>

#include "../kernels/kernels.h"

namespace eigenae {

struct InstructionSet {
  const char* name;
  const Kernels* kernels;
};

// Returns the instruction sets that this processor supports, the fastest first.
std::vector<InstructionSet> supportedInstructionSets();

// Returns the fastest, or the one that the environment variable EIGENAE_ISA names. Throws std::invalid_argument if this
// processor does not support that one.
InstructionSet chosenInstructionSet();

}  // namespace eigenae
