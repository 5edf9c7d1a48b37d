#include "stand_in_module.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>

#include "../kernel/arguments.h"
#include "stand_in_settings.h"

namespace eigenae::emulation {

namespace {

constexpr int invalidPtx = 218, unsupportedPtxVersion = 222, noBinaryForGpu = 209;

// Returns the number after a directive, such as 80 for ".version 8.0", or 70 for ".target sm_70".
int directive(const char* ptx, const char* format) {
  const char* const line = std::strstr(ptx, format);
  int major = 0, minor = 0;
  if (line == nullptr) return 0;
  const int read = std::sscanf(line + std::strlen(format), "%d.%d", &major, &minor);
  return read == 2 ? 10 * major + minor : major;
}

// The newest PTX that a driver understands: 8.0 came with CUDA 12.0, 8.1 with 12.1, and 7.8 with 11.8.
int newestPtx(int driver) {
  const int major = driver / 1000, minor = driver % 1000 / 10;
  return major >= 12 ? 80 + minor + 10 * (major - 12) : 70 + minor;
}

// Runs `node compile.mjs ptx FILE`. Returns whether it succeeded; `output` gets what it printed.
bool compileInNode(const std::string& file, std::string& output) {
  const std::string command = std::string("node '") + EIGENAE_COMPILE_SCRIPT + "' ptx '" + file + "' 2>&1";
  FILE* const pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return false;
  char buffer[4096];
  for (std::size_t count; (count = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) output.append(buffer, count);
  return pclose(pipe) == 0;
}

}  // namespace

int loadModule(const char* ptx, LoadedModule& module, std::string& log) {
  if (directive(ptx, ".version ") == 0) {
    log = "the image is not PTX";
    return invalidPtx;
  }
  if (directive(ptx, ".version ") > newestPtx(settings().driver)) return unsupportedPtxVersion;
  if (directive(ptx, ".target sm_") > 10 * settings().majorCapability + settings().minorCapability)
    return noBinaryForGpu;
  char file[] = "/tmp/eigenae-stand-in-XXXXXX";
  const int descriptor = mkstemp(file);
  if (descriptor < 0) return invalidPtx;
  const auto length = static_cast<ssize_t>(std::strlen(ptx));
  const bool written = write(descriptor, ptx, static_cast<std::size_t>(length)) == length;
  close(descriptor);
  std::string output;
  const bool compiled = written && compileInNode(file, output);
  unlink(file);
  if (!compiled) {
    log = output;
    return invalidPtx;
  }
  output.erase(output.find_last_not_of("\n") + 1);
  module.library = dlopen(output.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module.library == nullptr) {
    log = dlerror();
    return invalidPtx;
  }
  const auto kernels =
      reinterpret_cast<decltype(&eigenae_translated_module)>(dlsym(module.library, "eigenae_translated_module"));
  module.kernels = kernels();
  return 0;
}

bool waitInstead(const Grid& grid, const std::vector<char>& parameters) {
  if (settings().stepMicroseconds == 0) return false;
  if (!grid.cooperative) return true;
  const auto* const models = *reinterpret_cast<const cuda::Training* const*>(parameters.data());
  if (models->order == nullptr) return false;
  int steps = 0;
  for (unsigned i = 0; i < grid.blocks / settings().blocksOfModel; ++i) steps = std::max(steps, models[i].steps);
  std::this_thread::sleep_for(std::chrono::duration<double, std::micro>(steps * settings().stepMicroseconds));
  return true;
}

}  // namespace eigenae::emulation
