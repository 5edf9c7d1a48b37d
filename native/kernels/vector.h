// Vectors as wide as the instruction set that this translation unit is compiled for, by the compilers' vector extensions.
// Kernels are one source that is compiled once for each instruction set. Everything is in an unnamed namespace, so that the
// linker never merges the inline functions of two instruction sets.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__clang__)
#define EIGENAE_UNROLL _Pragma("clang loop unroll(full)")
#else
#define EIGENAE_UNROLL _Pragma("GCC unroll 32")
#endif
#define EIGENAE_INLINE inline __attribute__((always_inline))

namespace eigenae {
namespace {

#if defined(__AVX512F__)
constexpr int lanes = 16;
#elif defined(__AVX2__)
constexpr int lanes = 8;
#else
constexpr int lanes = 4;
#endif

// Columns of a panel, see kernels.h. Two vectors, so that each broadcast element serves two products.
constexpr int panel = 2 * lanes;
constexpr int doubleLanes = lanes / 2;

// typedef and not `using`, in which clang ignores aligned and may_alias: it would then assume that every load is aligned.
typedef float Floats __attribute__((vector_size(4 * lanes), may_alias));
typedef std::int32_t Integers __attribute__((vector_size(4 * lanes), may_alias));
typedef std::uint32_t Words __attribute__((vector_size(4 * lanes), may_alias));
typedef std::uint64_t Longs __attribute__((vector_size(4 * lanes), may_alias));
typedef double Doubles __attribute__((vector_size(4 * lanes), may_alias));
typedef std::int64_t Masks __attribute__((vector_size(4 * lanes), may_alias));
typedef float UnalignedFloats __attribute__((vector_size(4 * lanes), aligned(4), may_alias));

EIGENAE_INLINE Floats load(const float* from) { return *reinterpret_cast<const Floats*>(from); }
EIGENAE_INLINE void store(float* to, Floats value) { *reinterpret_cast<Floats*>(to) = value; }
EIGENAE_INLINE Floats loadUnaligned(const float* from) { return *reinterpret_cast<const UnalignedFloats*>(from); }
EIGENAE_INLINE void storeUnaligned(float* to, Floats value) { *reinterpret_cast<UnalignedFloats*>(to) = value; }

// Returns x in every lane. Written as x − 0 because x + 0 would change a negative zero and therefore cost an addition.
EIGENAE_INLINE Floats broadcast(float x) { return x - Floats{}; }

// Returns `yes` in the lanes where the mask is set and `no` in the others.
EIGENAE_INLINE Floats select(Integers mask, Floats yes, Floats no) {
  return (Floats)(((Integers)yes & mask) | ((Integers)no & ~mask));
}

// Returns the sum of all lanes. The upper half is added to the lower half, and so on, always in the same order.
EIGENAE_INLINE float horizontalSum(Floats v) {
#if defined(__AVX512F__)
  v += __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
  v += __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3);
  v += __builtin_shufflevector(v, v, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1);
  v += __builtin_shufflevector(v, v, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0);
#elif defined(__AVX2__)
  v += __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3);
  v += __builtin_shufflevector(v, v, 2, 3, 0, 1, 2, 3, 0, 1);
  v += __builtin_shufflevector(v, v, 1, 0, 1, 0, 1, 0, 1, 0);
#else
  v += __builtin_shufflevector(v, v, 2, 3, 0, 1);
  v += __builtin_shufflevector(v, v, 1, 0, 1, 0);
#endif
  return v[0];
}

}  // namespace
}  // namespace eigenae
