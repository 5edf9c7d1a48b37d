#include "instruction_set.h"

#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#if defined(__x86_64__)
#include <cpuid.h>

#include "../kernels/amx/amx.h"
#endif

namespace eigenae {

extern const Kernels baselineKernels;

#if defined(__x86_64__)

extern const Kernels avx2Kernels;
extern const Kernels avx512Kernels;

namespace {

bool hasBits(unsigned value, unsigned bits) { return (value & bits) == bits; }

// Reads from cpuid which instructions the processor has, and from xgetbv whether the operating system saves their
// registers. The compilers' __builtin_cpu_supports is missing in some toolchains.
struct Processor {
  bool avx2 = false, avx512 = false;

  Processor() {
    unsigned eax, ebx, ecx, edx;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)) return;
    constexpr unsigned fma = 1u << 12, osxsave = 1u << 27, avx = 1u << 28;
    if (!hasBits(ecx, fma | osxsave | avx)) return;
    unsigned saved, unused;
    __asm__ __volatile__("xgetbv" : "=a"(saved), "=d"(unused) : "c"(0));
    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return;
    constexpr unsigned avx2Bit = 1u << 5, avx512Bits = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;  // F, DQ, BW, VL
    avx2 = hasBits(saved, 0x06) && hasBits(ebx, avx2Bit);
    avx512 = avx2 && hasBits(saved, 0xE6) && hasBits(ebx, avx512Bits);
  }
};

}  // namespace

std::vector<InstructionSet> supportedInstructionSets() {
  static const Processor processor;
  std::vector<InstructionSet> sets;
  if (processor.avx512 && amxIsUsable()) sets.push_back({.name = "amx", .kernels = &amxKernels});
  if (processor.avx512) sets.push_back({.name = "avx512", .kernels = &avx512Kernels});
  if (processor.avx2) sets.push_back({.name = "avx2", .kernels = &avx2Kernels});
  sets.push_back({.name = "x86-64", .kernels = &baselineKernels});
  return sets;
}

#else

std::vector<InstructionSet> supportedInstructionSets() {
#if defined(__aarch64__)
  return {{.name = "neon", .kernels = &baselineKernels}};
#else
  return {{.name = "portable", .kernels = &baselineKernels}};
#endif
}

#endif

InstructionSet chosenInstructionSet() {
  const std::vector<InstructionSet> sets = supportedInstructionSets();
  const char* wanted = std::getenv("EIGENAE_ISA");
  if (wanted == nullptr || *wanted == '\0') return sets.front();
  std::string names;
  for (const InstructionSet& set : sets) {
    if (std::strcmp(set.name, wanted) == 0) return set;
    names += names.empty() ? set.name : std::string(", ") + set.name;
  }
  throw std::invalid_argument("EIGENAE_ISA is \"" + std::string(wanted) + "\", but this processor has " + names);
}

}  // namespace eigenae
