// Loads PTX into the stand-in: translates it to C++, compiles that and opens the library.
#pragma once

#include <string>

#include "translated_kernel.h"

namespace eigenae::emulation {

struct LoadedModule {
  void* library = nullptr;
  TranslatedModule kernels{};
};

// Returns 0 or a CUresult. On failure, `log` gets the message of the translator or of the compiler.
int loadModule(const char* ptx, LoadedModule& module, std::string& log);

}  // namespace eigenae::emulation
