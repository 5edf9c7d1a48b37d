// The operations for which the compilers' vector extensions have no word.
#pragma once

#include "vector.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#elif defined(__wasm_simd128__)
#include <wasm_simd128.h>
#endif

namespace eigenae {
namespace {

EIGENAE_INLINE Floats squareRoot(Floats x) {
#if defined(__AVX512F__)
  return _mm512_maskz_sqrt_ps(-1, x);  // the plain one warns of an uninitialised value in GCC 12
#elif defined(__AVX2__)
  return _mm256_sqrt_ps(x);
#elif defined(__SSE2__)
  return _mm_sqrt_ps(x);
#elif defined(__aarch64__)
  return vsqrtq_f32(x);
#elif defined(__wasm_simd128__)
  return (Floats)wasm_f32x4_sqrt((v128_t)x);
#else
  return Floats{__builtin_sqrtf(x[0]), __builtin_sqrtf(x[1]), __builtin_sqrtf(x[2]), __builtin_sqrtf(x[3])};
#endif
}

EIGENAE_INLINE Doubles squareRoot(Doubles x) {
#if defined(__AVX512F__)
  return _mm512_maskz_sqrt_pd(-1, x);
#elif defined(__AVX2__)
  return _mm256_sqrt_pd(x);
#elif defined(__SSE2__)
  return _mm_sqrt_pd(x);
#elif defined(__aarch64__)
  return vsqrtq_f64(x);
#elif defined(__wasm_simd128__)
  return (Doubles)wasm_f64x2_sqrt((v128_t)x);
#else
  return Doubles{__builtin_sqrt(x[0]), __builtin_sqrt(x[1])};
#endif
}

// The smaller and the larger of two; where x is not a number, x.
EIGENAE_INLINE Floats atMost(Floats limit, Floats x) {
#if defined(__AVX512F__)
  return _mm512_maskz_min_ps(-1, limit, x);
#elif defined(__AVX2__)
  return _mm256_min_ps(limit, x);
#elif defined(__SSE2__)
  return _mm_min_ps(limit, x);
#elif defined(__wasm_simd128__)
  return (Floats)wasm_f32x4_pmin((v128_t)x, (v128_t)limit);
#else
  return select((Integers)(limit < x), limit, x);
#endif
}

EIGENAE_INLINE Floats atLeast(Floats limit, Floats x) {
#if defined(__AVX512F__)
  return _mm512_maskz_max_ps(-1, limit, x);
#elif defined(__AVX2__)
  return _mm256_max_ps(limit, x);
#elif defined(__SSE2__)
  return _mm_max_ps(limit, x);
#elif defined(__wasm_simd128__)
  return (Floats)wasm_f32x4_pmax((v128_t)x, (v128_t)limit);
#else
  return select((Integers)(limit > x), limit, x);
#endif
}

// A bit a lane, the first lane's lowest: set unless x is above the limit.
EIGENAE_INLINE std::uint32_t lanesNotAbove(Floats x, Floats limit) {
#if defined(__AVX512F__)
  return _mm512_cmp_ps_mask(x, limit, _CMP_NGT_UQ);
#elif defined(__AVX2__)
  return static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(x, limit, _CMP_NGT_UQ)));
#elif defined(__SSE2__)
  return static_cast<std::uint32_t>(_mm_movemask_ps(_mm_cmpngt_ps(x, limit)));
#elif defined(__wasm_simd128__)
  return wasm_i32x4_bitmask((v128_t) ~(Integers)(x > limit));
#else
  const Words bits = (Words) ~(Integers)(x > limit) & Words{1, 2, 4, 8};
  return bits[0] | bits[1] | bits[2] | bits[3];
#endif
}

// A byte a lane. GCC 12 widens a vector of bytes one by one.
EIGENAE_INLINE Words loadBytes(const std::uint8_t* from) {
#if defined(__AVX512F__)
  return (Words)_mm512_maskz_cvtepu8_epi32(-1, _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
#elif defined(__AVX2__)
  return (Words)_mm256_cvtepu8_epi32(_mm_loadu_si64(from));
#else
  std::uint32_t four;
  __builtin_memcpy(&four, from, sizeof(four));
#if defined(__SSE2__)
  const __m128i zeros = _mm_setzero_si128();
  return (Words)_mm_unpacklo_epi16(_mm_unpacklo_epi8(_mm_cvtsi32_si128(static_cast<int>(four)), zeros), zeros);
#else
  return Words{four & 0xFFu, (four >> 8) & 0xFFu, (four >> 16) & 0xFFu, four >> 24};
#endif
#endif
}

// The 64-bit products of the lanes' lower halves; GCC would multiply all 64 bits.
EIGENAE_INLINE Longs multiplyLowerHalves(Longs a, Longs b) {
#if defined(__AVX512F__)
  return (Longs)_mm512_maskz_mul_epu32(-1, (__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return (Longs)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
  return (Longs)_mm_mul_epu32((__m128i)a, (__m128i)b);
#elif defined(__aarch64__)
  return (Longs)vmull_u32(vmovn_u64((uint64x2_t)a), vmovn_u64((uint64x2_t)b));
#elif defined(__wasm_simd128__)
  const v128_t lowerA = wasm_i32x4_shuffle((v128_t)a, (v128_t)a, 0, 2, 0, 2);
  const v128_t lowerB = wasm_i32x4_shuffle((v128_t)b, (v128_t)b, 0, 2, 0, 2);
  return (Longs)wasm_u64x2_extmul_low_u32x4(lowerA, lowerB);
#else
  return (a & 0xFFFFFFFFu) * (b & 0xFFFFFFFFu);
#endif
}

}  // namespace
}  // namespace eigenae
