// Measures the machine's FMA peak on each core alone and on all at once. It is linked with native/core/peak.cc.
#include "../../native/core/peak.h"

#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <thread>

#include "../../native/core/instruction_set.h"
#include "cores.h"

// Returns the best instruction set that -march=native enables, or AVX2 if EIGENAE_ISA asks for it. measurePeak uses the
// size of its vectors only. Tiles count as AVX-512, because they do not multiply floats.
eigenae::InstructionSet eigenae::chosenInstructionSet() {
#if defined(__AVX512F__)
  const char* wanted = std::getenv("EIGENAE_ISA");
  if (wanted == nullptr || wanted != std::string_view("avx2"))
    return {.name = "avx512", .vectorBytes = 64, .kernels = nullptr};
#endif
#if defined(__AVX2__) && defined(__FMA__)
  return {.name = "avx2", .vectorBytes = 32, .kernels = nullptr};
#elif defined(__x86_64__)
  return {.name = "x86-64", .vectorBytes = 16, .kernels = nullptr};
#else
  return {.name = "neon", .vectorBytes = 16, .kernels = nullptr};
#endif
}

int main() {
  std::printf("{\"instruction_set\": \"%s\", \"cores\": [", eigenae::chosenInstructionSet().name);
  for (int core = 0; core < coreCount(); ++core) {
    std::thread pinned([core] {
      pinToCore(core);
      std::printf("%s%.2f", core == 0 ? "" : ", ", eigenae::measurePeak(1));
    });
    pinned.join();
  }
  std::printf("], \"all\": %.2f}\n", eigenae::measurePeak(coreCount()));
}
