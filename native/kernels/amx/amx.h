// What the rest of the core sees of AMX. The tiles are faster than AVX-512 by 1.12 to 1.34 (docs/performance.md).
#pragma once

#include "../kernels.h"

namespace eigenae {

extern const Kernels amxKernels;

// Whether the processor has AMX tiles and the operating system allows this process to use them. Only for a processor
// that has AVX-512. Always false on another system than Linux.
bool amxIsUsable();

}  // namespace eigenae
