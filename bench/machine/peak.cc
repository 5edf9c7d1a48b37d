// The machine's FMA peak: on each core alone, and on all at once. Built with native/core/peak.cc.
#include "../../native/core/peak.h"

#include <cstdio>
#include <thread>

#include "../../native/core/instruction_set.h"
#include "cores.h"

// The best set that -march=native found here, whatever the kernels were told to use: peak.cc asks for no more than its
// name.
eigenae::InstructionSet eigenae::chosenInstructionSet() {
#if defined(__AVX512F__)
  return {"avx512", nullptr};
#elif defined(__AVX2__) && defined(__FMA__)
  return {"avx2", nullptr};
#elif defined(__x86_64__)
  return {"x86-64", nullptr};
#else
  return {"neon", nullptr};
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
