// Which of the compiled kernels run on this processor.
#pragma once

#include <vector>

#include "../kernels/kernels.h"

namespace eigenae {

struct InstructionSet {
  const char* name;
  const Kernels* kernels;
};

// Those that this processor has, the fastest first.
std::vector<InstructionSet> supportedInstructionSets();

// The fastest, or the one that EIGENAE_ISA names: throws std::invalid_argument if this processor does not have it.
InstructionSet chosenInstructionSet();

}  // namespace eigenae
