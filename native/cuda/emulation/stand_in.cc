// A libcuda.so.1 for machines without a card. It has the driver functions that native/cuda/host calls, with the
// signatures of cuda.h, and runs kernels by translating their PTX to C++ (stand_in_module.h). EIGENAE_STAND_IN sets the
// properties of the card and makes calls fail (stand_in_settings.h).
//
// As on a card, work is asynchronous, an error of a kernel is returned by every later call, and calls without a current
// context are refused.
#include <atomic>
#include <cstdio>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "stand_in_memory.h"
#include "stand_in_module.h"
#include "stand_in_settings.h"
#include "stand_in_stream.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

using namespace eigenae::emulation;

namespace {

// CUresult.
constexpr int success = 0, invalidValue = 1, outOfMemory = 2, notInitialized = 3, noDevice = 100, invalidDevice = 101,
              invalidContext = 201, invalidHandle = 400, notFound = 500, notReady = 600, illegalAddress = 700,
              outOfResources = 701, misalignedAddress = 716, launchFailed = 719, cooperativeTooLarge = 720;

struct ErrorName {
  int code;
  const char *name, *description;
};
constexpr ErrorName errorNames[] = {
    {success, "CUDA_SUCCESS", "no error"},
    {invalidValue, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {outOfMemory, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {notInitialized, "CUDA_ERROR_NOT_INITIALIZED", "cuInit has not been called"},
    {noDevice, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {invalidDevice, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {invalidContext, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {209, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"},
    {214, "CUDA_ERROR_ECC_UNCORRECTABLE", "uncorrectable ECC error encountered"},
    {218, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"},
    {222, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "the provided PTX was compiled with an unsupported toolchain."},
    {invalidHandle, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {notFound, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {notReady, "CUDA_ERROR_NOT_READY", "device not ready"},
    {illegalAddress, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {outOfResources, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"},
    {715, "CUDA_ERROR_ILLEGAL_INSTRUCTION", "an illegal instruction was encountered"},
    {misalignedAddress, "CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address"},
    {launchFailed, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {cooperativeTooLarge, "CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE", "too many blocks in cooperative launch"},
    {803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "system has unsupported display driver / cuda driver combination"},
    {999, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

// Errors that make the context unusable.
bool isSticky(int code) { return code == 214 || code == 999 || (code >= 700 && code <= 719 && code != outOfResources); }

struct Function {
  const TranslatedModule* module;
  const TranslatedKernel* kernel;
  int dynamicSharedBytes = 48 * 1024;  // that a launch may ask for
};

struct State {
  std::atomic<bool> initialized{false};
  std::atomic<int> lost{0};  // the sticky error
  std::mutex mutex;          // guards the fields below
  std::map<std::string, int> calls;
  int cooperativeLaunches = 0;
  std::vector<Stream*> streams;
  char context = 0;  // its address is the context's handle
};

// Never destroyed: launches may be running when the process ends.
State& state() {
  static State& all = *new State;
  return all;
}

thread_local bool contextIsCurrent = false;

Stream& streamOf(void* stream) { return *static_cast<Stream*>(stream); }

std::vector<Stream*> streams() {
  const std::lock_guard<std::mutex> lock(state().mutex);
  return state().streams;
}

int lose(int code) {
  if (isSticky(code)) state().lost = code;
  return code;
}

// Returns the fault that EIGENAE_STAND_IN sets for this call, or 0.
int faultOf(const char* function) {
  const std::lock_guard<std::mutex> lock(state().mutex);
  const int call = ++state().calls[function];
  for (const Fault& fault : settings().faults) {
    if (fault.function == function && fault.call == call) return lose(fault.code);
  }
  return success;
}

enum class Needs { nothing, initialization, context };

int begin(const char* function, Needs needs) {
  if (const int fault = faultOf(function)) return fault;
  if (needs != Needs::nothing && !state().initialized) return notInitialized;
  if (needs == Needs::context && !contextIsCurrent) return invalidContext;
  return state().lost;
}

#define BEGIN(needs) \
  if (const int error = begin(__func__, Needs::needs)) return error

int codeOf(const LaunchResult& result) {
  switch (result.outcome) {
    case Outcome::completed:
      return success;
    case Outcome::fault:
      return result.problem.find("misaligned") == 0 ? misalignedAddress : illegalAddress;
    default:
      return launchFailed;
  }
}

// The blocks that a multiprocessor holds by its shared memory, of which each block takes 1 KiB more, by its threads and
// by the setting.
int residentBlocks(const Function& function, unsigned threads, std::size_t dynamicBytes) {
  const std::size_t perBlock = dynamicBytes + function.kernel->staticSharedBytes + 1024;
  const std::size_t byShared = (static_cast<std::size_t>(settings().sharedBytes) + 1024) / perBlock;
  return std::min({static_cast<int>(byShared), 2048 / static_cast<int>(threads), settings().residentBlocks});
}

// A copy of the parameters, placed as the kernel reads them.
std::vector<char> gather(const TranslatedKernel& kernel, void** parameters) {
  std::vector<char> block(kernel.parameterBytes);
  for (unsigned i = 0; i < kernel.parameterCount; ++i)
    std::memcpy(block.data() + kernel.parameters[i].offset, parameters[i], kernel.parameters[i].bytes);
  return block;
}

bool hangs(bool cooperative) {
  if (!cooperative) return false;
  const std::lock_guard<std::mutex> lock(state().mutex);
  const int launch = ++state().cooperativeLaunches;
  for (const int hanging : settings().hangs)
    if (launch == hanging) return true;
  return false;
}

int enqueue(Function& function, unsigned blocks, unsigned threads, unsigned sharedBytes, bool cooperative, void* stream,
            void** parameters) {
  if (blocks == 0 || threads == 0 || sharedBytes > static_cast<unsigned>(function.dynamicSharedBytes))
    return invalidValue;
  if (threads > function.kernel->maxThreads) return outOfResources;
  const long resident = long{residentBlocks(function, threads, sharedBytes)} * settings().multiprocessors;
  if (cooperative && blocks > resident) return cooperativeTooLarge;
  const Grid grid{blocks, threads, sharedBytes, cooperative};
  streamOf(stream).add([=, block = gather(*function.kernel, parameters), hang = hangs(cooperative),
                        kernel = function.kernel, launch = function.module->launch] {
    if (hang) {
      std::mutex never;
      never.lock();
      std::condition_variable_any().wait(never, [] { return false; });
    }
    if (state().lost != 0 || waitInstead(grid, block)) return;
    const LaunchResult result = launch(*kernel, grid, block.data(), Order::ascending);
    if (result.outcome == Outcome::completed) return;
    std::fprintf(stderr, "stand-in for libcuda: %s: %s\n", kernel->name, result.problem.c_str());
    lose(codeOf(result));
  });
  return success;
}

}  // namespace

EXPORT
int cuInit(unsigned flags) {
  BEGIN(nothing);
  if (flags != 0) return invalidValue;
  if (settings().devices == 0) return noDevice;
  state().initialized = true;
  return success;
}

EXPORT
int cuDriverGetVersion(int* version) {
  BEGIN(nothing);
  *version = settings().driver;
  return success;
}

EXPORT
int cuGetErrorName(int code, const char** name) {
  for (const ErrorName& error : errorNames) {
    if (error.code == code) return *name = error.name, success;
  }
  return *name = nullptr, invalidValue;
}

EXPORT
int cuGetErrorString(int code, const char** text) {
  for (const ErrorName& error : errorNames) {
    if (error.code == code) return *text = error.description, success;
  }
  return *text = nullptr, invalidValue;
}

EXPORT
int cuDeviceGetCount(int* count) {
  BEGIN(initialization);
  *count = settings().devices;
  return success;
}

EXPORT
int cuDeviceGet(int* device, int ordinal) {
  BEGIN(initialization);
  if (ordinal < 0 || ordinal >= settings().devices) return invalidDevice;
  *device = ordinal;
  return success;
}

EXPORT
int cuDeviceGetName(char* name, int length, int) {
  BEGIN(initialization);
  std::snprintf(name, static_cast<std::size_t>(length), "stand-in for a card");
  return success;
}

EXPORT
int cuDeviceGetUuid_v2(char* uuid, int device) {
  BEGIN(initialization);
  for (int i = 0; i < 16; ++i) uuid[i] = static_cast<char>(16 * device + i);
  return success;
}

EXPORT
int cuDeviceGetAttribute(int* value, int attribute, int) {
  BEGIN(initialization);
  switch (attribute) {
    case 16:
      return *value = settings().multiprocessors, success;
    case 75:
      return *value = settings().majorCapability, success;
    case 76:
      return *value = settings().minorCapability, success;
    case 95:  // cooperative launch
      return *value = 1, success;
    case 97:  // shared memory of a block that opts in
      return *value = settings().sharedBytes, success;
    default:
      return invalidValue;
  }
}

EXPORT
int cuDevicePrimaryCtxRetain(void** context, int) {
  BEGIN(initialization);
  *context = &state().context;
  return success;
}

EXPORT
int cuCtxSetCurrent(void* context) {
  BEGIN(initialization);
  if (context != nullptr && context != &state().context) return invalidContext;
  contextIsCurrent = context != nullptr;
  return success;
}

// Options 5 and 6 are the buffer for messages and its size; the others are ignored.
EXPORT
int cuModuleLoadDataEx(void** module, const void* image, unsigned optionCount, const int* options, void** values) {
  BEGIN(context);
  auto* const loaded = new LoadedModule;
  std::string log;
  const int code = loadModule(static_cast<const char*>(image), *loaded, log);
  char* buffer = nullptr;
  std::size_t size = 0;
  for (unsigned i = 0; i < optionCount; ++i) {
    if (options[i] == 5) buffer = static_cast<char*>(values[i]);
    if (options[i] == 6) size = reinterpret_cast<std::size_t>(values[i]);
  }
  if (buffer != nullptr && size > 0) std::snprintf(buffer, size, "%s", log.c_str());
  for (unsigned i = 0; i < optionCount; ++i) {
    if (options[i] == 6) values[i] = reinterpret_cast<void*>(std::min(size, log.size()));
  }
  if (code != success) {
    delete loaded;
    return code;
  }
  *module = loaded;
  return success;
}

// The library stays open: a hanging launch may be in it.
EXPORT
int cuModuleUnload(void* module) {
  BEGIN(context);
  return module != nullptr ? success : invalidHandle;
}

EXPORT
int cuModuleGetFunction(void** function, void* module, const char* name) {
  BEGIN(context);
  const auto& kernels = static_cast<const LoadedModule*>(module)->kernels;
  for (unsigned i = 0; i < kernels.count; ++i) {
    if (std::strcmp(kernels.kernels[i].name, name) != 0) continue;
    *function = new Function{&kernels, &kernels.kernels[i]};
    return success;
  }
  return notFound;
}

// Attribute 8 is the dynamic shared memory that a launch may ask for.
EXPORT
int cuFuncSetAttribute(void* function, int attribute, int value) {
  BEGIN(context);
  auto& target = *static_cast<Function*>(function);
  const int available = settings().sharedBytes - static_cast<int>(target.kernel->staticSharedBytes);
  if (attribute != 8 || value < 0 || value > available) return invalidValue;
  target.dynamicSharedBytes = value;
  return success;
}

EXPORT
int cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, void* function, int threads, std::size_t bytes) {
  BEGIN(context);
  if (threads <= 0) return invalidValue;
  *blocks = residentBlocks(*static_cast<const Function*>(function), static_cast<unsigned>(threads), bytes);
  return success;
}

EXPORT
int cuMemAlloc_v2(std::uint64_t* address, std::size_t bytes) {
  BEGIN(context);
  if (bytes == 0) return invalidValue;
  *address = allocateDeviceMemory(bytes);
  return *address != 0 ? success : outOfMemory;
}

// Waits for all work, as on a card.
EXPORT
int cuMemFree_v2(std::uint64_t address) {
  BEGIN(context);
  for (Stream* const stream : streams()) stream->waitUntilIdle();
  return freeDeviceMemory(address) ? success : invalidValue;
}

EXPORT
int cuStreamCreate(void** stream, unsigned) {
  BEGIN(context);
  auto* const created = new Stream;
  const std::lock_guard<std::mutex> lock(state().mutex);
  state().streams.push_back(created);
  *stream = created;
  return success;
}

// The stream itself remains: its work continues to the end.
EXPORT
int cuStreamDestroy_v2(void* stream) {
  BEGIN(context);
  return stream != nullptr ? success : invalidHandle;
}

EXPORT
int cuStreamQuery(void* stream) {
  BEGIN(context);
  if (!streamOf(stream).idle()) return notReady;
  return state().lost;
}

// Memory of the host is read before the call returns, as it is if it is pageable.
EXPORT
int cuMemcpyHtoDAsync_v2(std::uint64_t to, const void* from, std::size_t bytes, void* stream) {
  BEGIN(context);
  if (!isDeviceMemory(to, bytes)) return invalidValue;
  const char* const begin = static_cast<const char*>(from);
  streamOf(stream).add([to, data = std::vector<char>(begin, begin + bytes)] {
    std::memcpy(reinterpret_cast<void*>(to), data.data(), data.size());
  });
  return success;
}

// Pageable memory of the host has been written when the call returns.
EXPORT
int cuMemcpyDtoHAsync_v2(void* to, std::uint64_t from, std::size_t bytes, void* stream) {
  BEGIN(context);
  if (!isDeviceMemory(from, bytes)) return invalidValue;
  streamOf(stream).waitUntilIdle();
  if (const int lost = state().lost) return lost;
  std::memcpy(to, reinterpret_cast<const void*>(from), bytes);
  return success;
}

EXPORT
int cuMemsetD8Async(std::uint64_t to, unsigned char value, std::size_t bytes, void* stream) {
  BEGIN(context);
  if (!isDeviceMemory(to, bytes)) return invalidValue;
  streamOf(stream).add([=] { std::memset(reinterpret_cast<void*>(to), value, bytes); });
  return success;
}

EXPORT
int cuLaunchCooperativeKernel(void* function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX,
                              unsigned blockY, unsigned blockZ, unsigned sharedBytes, void* stream, void** parameters) {
  BEGIN(context);
  if (gridY * gridZ * blockY * blockZ != 1) return invalidValue;
  return enqueue(*static_cast<Function*>(function), gridX, blockX, sharedBytes, true, stream, parameters);
}

EXPORT
int cuLaunchKernel(void* function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY,
                   unsigned blockZ, unsigned sharedBytes, void* stream, void** parameters, void** extra) {
  BEGIN(context);
  if (gridY * gridZ * blockY * blockZ != 1 || extra != nullptr) return invalidValue;
  return enqueue(*static_cast<Function*>(function), gridX, blockX, sharedBytes, false, stream, parameters);
}
