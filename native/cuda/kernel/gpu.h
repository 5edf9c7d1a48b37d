// The functions of a card that the kernels use. Without NVRTC each function is its emulation on the processor, where a
// thread is a fiber (emulation/fibers.h). Every operation on floats is rounded exactly, so both give the same bytes.
#pragma once

#ifdef __CUDACC__

#define DEV static __device__ __forceinline__
#define DEV_MEMBER __device__ __forceinline__
#define KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads, 1)

namespace eigenae {
namespace cuda {

DEV int thread() { return threadIdx.x; }
DEV int block() { return blockIdx.x; }
DEV int blocksOfGrid() { return gridDim.x; }

extern __shared__ float4 sharedMemory[];
DEV float* shared() { return reinterpret_cast<float*>(sharedMemory); }

// Barriers: of all threads of a block, of the first `count` (whole warps), of a warp.
DEV void syncBlock() { asm volatile("barrier.sync 0;" ::: "memory"); }
template <int count>
DEV void syncFirst() {
  asm volatile("barrier.sync 1, %0;" ::"n"(count) : "memory");
}
DEV void syncWarp() { __syncwarp(); }

// A counter in global memory. A thread that sees a value also sees all that was written before the additions to it.
DEV void releaseAdd(unsigned* counter, unsigned n) {
  asm volatile("red.release.gpu.global.add.u32 [%0], %1;" ::"l"(counter), "r"(n) : "memory");
}
DEV unsigned acquireLoad(const unsigned* counter) {
  unsigned value;
  asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(value) : "l"(counter) : "memory");
  return value;
}
DEV void trap() { asm volatile("trap;"); }

// Global memory that blocks exchange, past the first-level cache, which is not coherent between them.
DEV float loadExchanged(const float* p) {
  float v;
  asm volatile("ld.global.cg.f32 %0, [%1];" : "=f"(v) : "l"(p) : "memory");
  return v;
}
DEV float4 loadExchanged4(const float* p) {
  float4 v;
  asm volatile("ld.global.cg.v4.f32 {%0,%1,%2,%3}, [%4];"
               : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w)
               : "l"(p)
               : "memory");
  return v;
}
DEV void storeExchanged(float* p, float v) { asm volatile("st.global.cg.f32 [%0], %1;" ::"l"(p), "f"(v) : "memory"); }
DEV void storeExchanged4(float* p, float4 v) {
  asm volatile("st.global.cg.v4.f32 [%0], {%1,%2,%3,%4};" ::"l"(p), "f"(v.x), "f"(v.y), "f"(v.z), "f"(v.w) : "memory");
}

DEV float fma(float a, float b, float c) { return __fmaf_rn(a, b, c); }
DEV double fma(double a, double b, double c) { return __fma_rn(a, b, c); }
DEV float squareRoot(float x) { return __fsqrt_rn(x); }
DEV double squareRoot(double x) { return __dsqrt_rn(x); }
DEV float reciprocal(float x) { return __frcp_rn(x); }
DEV float divide(float a, float b) { return __fdiv_rn(a, b); }
DEV double divide(double a, double b) { return __ddiv_rn(a, b); }
DEV unsigned upperProduct(unsigned a, unsigned b) { return __umulhi(a, b); }
DEV unsigned bitsOf(float x) { return __float_as_uint(x); }
DEV float floatOf(unsigned bits) { return __uint_as_float(bits); }
DEV long long bitsOf(double x) { return __double_as_longlong(x); }
DEV double doubleOf(long long bits) { return __longlong_as_double(bits); }

}  // namespace cuda
}  // namespace eigenae

#else

#include <cmath>
#include <cstdint>
#include <cstring>

#include "emulation/fibers.h"

#define DEV static inline
#define DEV_MEMBER inline
#define KERNEL(threads) static void

struct alignas(16) float4 {
  float x, y, z, w;
};
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

namespace eigenae {
namespace cuda {

DEV int thread() { return static_cast<int>(emulation::threadIndex()); }
DEV int block() { return static_cast<int>(emulation::blockIndex()); }
DEV int blocksOfGrid() { return static_cast<int>(emulation::gridBlocks()); }
DEV float* shared() { return reinterpret_cast<float*>(emulation::sharedMemory()); }
DEV void syncBlock() { emulation::syncBlock(); }
template <int count>
DEV void syncFirst() {
  emulation::syncBarrier(1, count);
}
DEV void syncWarp() { emulation::syncWarp(); }
DEV void releaseAdd(unsigned* counter, unsigned n) { emulation::releaseAdd(counter, n); }
DEV unsigned acquireLoad(const unsigned* counter) { return emulation::acquireLoad(counter); }
DEV void trap() { emulation::fail(emulation::Outcome::trapped, "a block waited too long for the others"); }
DEV float loadExchanged(const float* p) { return *p; }
DEV float4 loadExchanged4(const float* p) { return {p[0], p[1], p[2], p[3]}; }
DEV void storeExchanged(float* p, float v) { *p = v; }
DEV void storeExchanged4(float* p, float4 v) {
  p[0] = v.x;
  p[1] = v.y;
  p[2] = v.z;
  p[3] = v.w;
}
DEV float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
DEV double fma(double a, double b, double c) { return __builtin_fma(a, b, c); }
DEV float squareRoot(float x) { return std::sqrt(x); }
DEV double squareRoot(double x) { return std::sqrt(x); }
DEV float reciprocal(float x) { return 1 / x; }
DEV float divide(float a, float b) { return a / b; }
DEV double divide(double a, double b) { return a / b; }
DEV unsigned upperProduct(unsigned a, unsigned b) {
  return static_cast<unsigned>((static_cast<std::uint64_t>(a) * b) >> 32);
}
template <typename To, typename From>
DEV To sameBits(From from) {
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}
DEV unsigned bitsOf(float x) { return sameBits<unsigned>(x); }
DEV float floatOf(unsigned bits) { return sameBits<float>(bits); }
DEV long long bitsOf(double x) { return sameBits<long long>(x); }
DEV double doubleOf(long long bits) { return sameBits<double>(bits); }

}  // namespace cuda
}  // namespace eigenae

#endif
