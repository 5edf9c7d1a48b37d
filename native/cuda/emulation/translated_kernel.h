// The functions and types that translated PTX uses. translate-ptx.mjs writes the files that include this one.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "fibers.h"

namespace eigenae::emulation {

struct TranslatedParameter {
  unsigned offset;  // in the block of parameters
  unsigned bytes;
};

struct TranslatedKernel {
  const char* name;
  void (*run)(char* parameters);  // one thread of a launch; parameters is aligned to 16 bytes
  const TranslatedParameter* parameters;
  unsigned parameterCount;
  unsigned parameterBytes;
  unsigned staticSharedBytes;  // come before the launch's dynamic ones
  unsigned maxThreads;         // in a block
};

// Launches the kernel. `parameters` are its parameters as in TranslatedKernel; the launch reads a copy. The grid's
// shared bytes are the dynamic ones.
inline LaunchResult launchTranslated(const TranslatedKernel& kernel, Grid grid, const void* parameters, Order order) {
  struct alignas(16) Unit {
    char bytes[16];
  };
  std::vector<Unit> copy(kernel.parameterBytes / sizeof(Unit) + 1);
  if (kernel.parameterBytes > 0) std::memcpy(copy.data(), parameters, kernel.parameterBytes);
  grid.sharedBytes += kernel.staticSharedBytes;
  return launch(
      grid, [&] { kernel.run(copy.data()->bytes); }, order);
}

struct TranslatedModule {
  const TranslatedKernel* kernels;
  unsigned count;
  decltype(&launchTranslated) launch;  // by the fibers that are linked to the module
};

}  // namespace eigenae::emulation

// Defined by the translated file.
extern "C" __attribute__((visibility("default"))) eigenae::emulation::TranslatedModule eigenae_translated_module();

namespace eigenae::emulation::ptx {

template <class To, class From>
To bits(From from) {
  static_assert(sizeof(To) == sizeof(From), "the same number of bits");
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

inline std::uint64_t addressOf(const void* pointer) { return reinterpret_cast<std::uint64_t>(pointer); }

[[noreturn]] inline void fault(const char* what, std::uint64_t address, unsigned size) {
  fail(Outcome::fault, std::string(what) + " access of " + std::to_string(size) + " bytes at " +
                           std::to_string(address) + " by thread " + std::to_string(threadIndex()) + " of block " +
                           std::to_string(blockIndex()));
}

// Memory outside shared memory. The processor's own protection is the only check of bounds. It is an object because g++
// parses a call of its member far faster than one of a template function, of which a kernel has thousands.
struct GlobalMemory {
  template <unsigned size>
  char* at(std::uint64_t address) const {
    if (address % size != 0) fault("misaligned", address, size);
    return reinterpret_cast<char*>(address);
  }
};
constexpr GlobalMemory memory;

struct SharedMemory {
  char* base;
  std::uint32_t bytes;

  template <unsigned size>
  char* at(std::uint32_t offset) const {
    if (offset % size != 0) fault("misaligned shared", offset, size);
    if (offset > bytes || bytes - offset < size) fault("out of bounds shared", offset, size);
    return base + offset;
  }
  std::uint64_t genericAddress(std::uint64_t offset) const { return reinterpret_cast<std::uint64_t>(base) + offset; }
  std::uint64_t offset(std::uint64_t address) const { return address - reinterpret_cast<std::uint64_t>(base); }
};

// PTX: the other operand if one is NaN, and −0 < +0.
template <class T>
T minimum(T a, T b) {
  if (std::isnan(a)) return b;
  if (std::isnan(b)) return a;
  if (a == b) return std::signbit(a) ? a : b;
  return a < b ? a : b;
}
template <class T>
T maximum(T a, T b) {
  if (std::isnan(a)) return b;
  if (std::isnan(b)) return a;
  if (a == b) return std::signbit(a) ? b : a;
  return a > b ? a : b;
}

inline std::int32_t highProduct(std::int32_t a, std::int32_t b) {
  return static_cast<std::int32_t>((std::int64_t{a} * b) >> 32);
}
inline std::uint32_t highProduct(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::uint32_t>((std::uint64_t{a} * b) >> 32);
}
__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 Uint128;
inline std::int64_t highProduct(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>((Int128{a} * b) >> 64);
}
inline std::uint64_t highProduct(std::uint64_t a, std::uint64_t b) {
  return static_cast<std::uint64_t>((Uint128{a} * b) >> 64);
}

// A card returns any number for a division by 0; no kernel may do it.
template <class T>
T quotient(T a, T b) {
  if (b == 0) fail(Outcome::fault, "division by 0");
  if (std::is_signed<T>::value && b == static_cast<T>(-1))
    return static_cast<T>(0 - static_cast<std::make_unsigned_t<T>>(a));
  return static_cast<T>(a / b);
}
template <class T>
T modulo(T a, T b) {
  if (b == 0) fail(Outcome::fault, "division by 0");
  if (std::is_signed<T>::value && b == static_cast<T>(-1)) return 0;
  return static_cast<T>(a % b);
}

template <class T>
std::make_unsigned_t<T> magnitude(T a) {
  const auto u = static_cast<std::make_unsigned_t<T>>(a);
  return static_cast<std::make_unsigned_t<T>>(a < 0 ? 0 - u : u);
}

// A shift by the width or more leaves zeros, or copies of the sign.
template <class T>
T shiftLeft(T a, std::uint32_t n) {
  return n >= 8 * sizeof(T) ? T{0} : static_cast<T>(a << n);
}
template <class T>
T shiftRight(T a, std::uint32_t n) {
  const std::uint32_t most = 8 * sizeof(T) - 1;
  if (n > most && !std::is_signed<T>::value) return 0;
  return static_cast<T>(a >> std::min(n, most));
}
inline std::uint32_t funnelLeft(std::uint32_t low, std::uint32_t high, std::uint32_t n) {
  return static_cast<std::uint32_t>(((std::uint64_t{high} << 32 | low) << (n & 31)) >> 32);
}
inline std::uint32_t funnelRight(std::uint32_t low, std::uint32_t high, std::uint32_t n) {
  return static_cast<std::uint32_t>((std::uint64_t{high} << 32 | low) >> (n & 31));
}
inline std::uint32_t extract(std::uint32_t a, std::uint32_t first, std::uint32_t count) {
  const std::uint32_t shifted = shiftRight(a, first & 255);
  return (count & 255) >= 32 ? shifted : shifted & ((1u << (count & 255)) - 1);
}
inline std::uint32_t leadingZeros(std::uint32_t a) { return a == 0 ? 32 : static_cast<unsigned>(__builtin_clz(a)); }
inline std::uint32_t leadingZeros(std::uint64_t a) { return a == 0 ? 64 : static_cast<unsigned>(__builtin_clzll(a)); }
inline std::uint32_t setBits(std::uint64_t a) { return static_cast<unsigned>(__builtin_popcountll(a)); }
inline std::uint32_t reversed(std::uint32_t a) {
  std::uint32_t result = 0;
  for (int i = 0; i < 32; ++i) result |= (a >> i & 1) << (31 - i);
  return result;
}

// PTX: NaN becomes 0, and other numbers the nearest that the type has.
template <class Integer, class Float>
Integer toInteger(Float integral) {
  using Limits = std::numeric_limits<Integer>;
  const Float end = std::ldexp(Float{1}, Limits::digits);  // the largest integer + 1
  if (std::isnan(integral)) return 0;
  if (integral >= end) return Limits::max();
  if (integral < static_cast<Float>(Limits::min())) return Limits::min();
  return static_cast<Integer>(integral);
}

// Counts how often the segments of a module are entered, by all threads and by threads 0 and 256 of block 0, and writes
// the counts when the library is closed.
template <unsigned segments>
struct SegmentCounts {
  std::uint64_t counts[3][segments] = {};

  void add(unsigned segment) {
    ++counts[0][segment];
    if (blockIndex() == 0 && threadIndex() % 256 == 0) ++counts[1 + threadIndex() / 256][segment];
  }
  ~SegmentCounts() {
    const char* const path = std::getenv("EIGENAE_SEGMENT_COUNTS");
    std::FILE* const file = path != nullptr ? std::fopen(path, "wb") : nullptr;
    if (file == nullptr) return;
    std::fwrite(counts, sizeof counts, 1, file);
    std::fclose(file);
  }
};

inline void syncWarp(std::uint32_t mask) {
  if (mask != 0xFFFFFFFF) fail(Outcome::misuse, "a barrier of part of a warp");
  emulation::syncWarp();
}

}  // namespace eigenae::emulation::ptx
