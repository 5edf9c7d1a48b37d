// Takes the place of kernel/core.cu in emulate.cc: the kernels are those that NVRTC compiled, translated to C++.
#include <cstring>

#include "emulation/translated_kernel.h"
#include "layout.h"

namespace {

// Runs a thread of the kernel, whose only parameter is a pointer.
void runTranslated(const char* name, const void* pointer) {
  alignas(16) char parameters[16] = {};
  std::memcpy(parameters, &pointer, sizeof pointer);
  const eigenae::emulation::TranslatedModule module = eigenae_translated_module();
  for (unsigned i = 0; i < module.count; ++i)
    if (std::strcmp(module.kernels[i].name, name) == 0) return module.kernels[i].run(parameters);
  eigenae::emulation::fail(eigenae::emulation::Outcome::misuse, std::string("no kernel is called ") + name);
}

}  // namespace

KERNEL(eigenae::cuda::threads) train(const eigenae::cuda::Training* models) { runTranslated("train", models); }

KERNEL(eigenae::cuda::workers) infer(const eigenae::cuda::Inference* call) { runTranslated("infer", call); }
