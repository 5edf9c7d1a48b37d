// CUDA's driver API, loaded at run time. The types and numbers are those of cuda.h, which is not needed to build: a
// machine without CUDA builds the same addon.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace eigenae::cuda {

using Result = int;  // CUresult
using Device = int;  // CUdevice
using DeviceAddress = unsigned long long;
using Context = struct OpaqueContext*;
using Module = struct OpaqueModule*;
using Function = struct OpaqueFunction*;
using Stream = struct OpaqueStream*;

struct Uuid {
  unsigned char bytes[16];
};

namespace result {
constexpr Result success = 0, notReady = 600;
}

// CUdevice_attribute.
enum class DeviceAttribute : int {
  multiprocessors = 16,
  capabilityMajor = 75,
  capabilityMinor = 76,
  cooperativeLaunch = 95,
  sharedBytesPerBlock = 97,  // that a kernel may have if it asks for it
};

// CUfunction_attribute and CUjit_option.
constexpr int maxDynamicSharedBytes = 8, jitErrorLog = 5, jitErrorLogBytes = 6;
// CU_STREAM_NON_BLOCKING: the stream does not wait for the legacy default stream.
constexpr unsigned nonBlocking = 1;

// One row for each function: its name in libcuda, and its parameters. Functions whose signature has changed have their
// newest name of CUDA 12.0.
#define EIGENAE_CUDA_FUNCTIONS(ROW)                                                                                    \
  ROW(cuInit, unsigned flags)                                                                                          \
  ROW(cuDriverGetVersion, int* version)                                                                                \
  ROW(cuGetErrorName, Result, const char** name)                                                                       \
  ROW(cuGetErrorString, Result, const char** text)                                                                     \
  ROW(cuDeviceGetCount, int* count)                                                                                    \
  ROW(cuDeviceGet, Device*, int ordinal)                                                                               \
  ROW(cuDeviceGetName, char* name, int bytes, Device)                                                                  \
  ROW(cuDeviceGetUuid_v2, Uuid*, Device)                                                                               \
  ROW(cuDeviceTotalMem_v2, std::size_t* bytes, Device)                                                                 \
  ROW(cuDeviceGetAttribute, int* value, DeviceAttribute, Device)                                                       \
  ROW(cuDevicePrimaryCtxRetain, Context*, Device)                                                                      \
  ROW(cuCtxSetCurrent, Context)                                                                                        \
  ROW(cuMemGetInfo_v2, std::size_t* free, std::size_t* total)                                                          \
  ROW(cuModuleLoadDataEx, Module*, const void* image, unsigned options, int* names, void** values)                     \
  ROW(cuModuleUnload, Module)                                                                                          \
  ROW(cuModuleGetFunction, Function*, Module, const char* name)                                                        \
  ROW(cuFuncSetAttribute, Function, int attribute, int value)                                                          \
  ROW(cuOccupancyMaxActiveBlocksPerMultiprocessor, int* blocks, Function, int threads, std::size_t sharedBytes)        \
  ROW(cuMemAlloc_v2, DeviceAddress*, std::size_t bytes)                                                                \
  ROW(cuMemFree_v2, DeviceAddress)                                                                                     \
  ROW(cuStreamCreate, Stream*, unsigned flags)                                                                         \
  ROW(cuStreamDestroy_v2, Stream)                                                                                      \
  ROW(cuStreamQuery, Stream)                                                                                           \
  ROW(cuMemcpyHtoDAsync_v2, DeviceAddress, const void*, std::size_t bytes, Stream)                                     \
  ROW(cuMemcpyDtoHAsync_v2, void*, DeviceAddress, std::size_t bytes, Stream)                                           \
  ROW(cuMemsetD8Async, DeviceAddress, unsigned char value, std::size_t bytes, Stream)                                  \
  ROW(cuLaunchKernel, Function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY,      \
      unsigned blockZ, unsigned sharedBytes, Stream, void** parameters, void** extra)                                  \
  ROW(cuLaunchCooperativeKernel, Function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX,            \
      unsigned blockY, unsigned blockZ, unsigned sharedBytes, Stream, void** parameters)

// The functions of libcuda. Throws CudaErrors.
class Driver {
 public:
  // file: for dlopen, "libcuda.so.1" or a path. Refuses drivers older than CUDA 12.0.
  explicit Driver(const std::string& file);

  int version() const { return version_; }  // of CUDA: 12040 for 12.4

  // Throws if a function has failed; `doing` names the work in the message: "allocate 3 MB".
  void check(Result result, const std::string& doing) const;

#define EIGENAE_CUDA_MEMBER(name, ...) Result (*name)(__VA_ARGS__) = nullptr;
  EIGENAE_CUDA_FUNCTIONS(EIGENAE_CUDA_MEMBER)
#undef EIGENAE_CUDA_MEMBER

 private:
  int version_ = 0;
};

}  // namespace eigenae::cuda
