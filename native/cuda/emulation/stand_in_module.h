// Loads PTX into the stand-in: translates it to C++, compiles that and opens the library.
#pragma once

#include <string>
#include <vector>

#include "translated_kernel.h"

namespace eigenae::emulation {

struct LoadedModule {
  void* library = nullptr;
  TranslatedModule kernels{};
};

// Returns 0 or a CUresult. On failure, `log` gets the message of the translator or of the compiler.
int loadModule(const char* ptx, LoadedModule& module, std::string& log);

// Waits the estimated time of a launch in place of computing it. Returns false if it is to be computed: without the
// setting `step`, and for given batches, which check a kernel.
bool waitInstead(const Grid& grid, const std::vector<char>& parameters);

}  // namespace eigenae::emulation
