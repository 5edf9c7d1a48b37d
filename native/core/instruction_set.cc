#include "instruction_set.h"

namespace eigenae {

const char* instructionSet() {
#if defined(__x86_64__)
  return "x86-64";
#elif defined(__aarch64__)
  return "neon";
#else
  return "portable";
#endif
}

}  // namespace eigenae
