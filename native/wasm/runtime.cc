// Replaces parts of the C++ library, which is built without exceptions and without threads: a C++ exception or the end
// of the program becomes a JavaScript error that the host throws, and the allocator takes a lock.
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <new>

// Throws a JavaScript error. The instance must not be used after it.
extern "C" [[noreturn]] __attribute__((import_module("host"), import_name("fail"))) void fail(const char* message);

extern "C" {

void* __cxa_allocate_exception(std::size_t) {
  alignas(16) static char memory[256];
  return memory;
}

// Everything that this project throws derives from std::exception alone.
[[noreturn]] void __cxa_throw(void* thrown, void*, void (*)(void*)) {
  fail(static_cast<std::exception*>(thrown)->what());
}

// The C++ library calls these two where it cannot continue. Its own versions print the message, by functions of WASI
// that would have to be imported.
[[noreturn]] void __abort_message(const char* format, ...) { fail(format); }
}

[[noreturn]] void std::__libcpp_verbose_abort(const char* format, ...) noexcept { fail(format); }

extern "C" {

// The allocator of wasi-libc is not thread-safe. By --wrap, the linker replaces its functions with those below, which
// lock.
void* __real_malloc(std::size_t bytes);
void* __real_aligned_alloc(std::size_t alignment, std::size_t bytes);
void __real_free(void* memory);
}

namespace {

std::atomic_flag taken = ATOMIC_FLAG_INIT;

class AllocatorLock {
 public:
  AllocatorLock() {
    while (taken.test_and_set(std::memory_order_acquire)) {
    }
  }
  ~AllocatorLock() { taken.clear(std::memory_order_release); }
};

}  // namespace

extern "C" {

void* __wrap_malloc(std::size_t bytes) {
  const AllocatorLock lock;
  return __real_malloc(bytes);
}

void* __wrap_aligned_alloc(std::size_t alignment, std::size_t bytes) {
  const AllocatorLock lock;
  return __real_aligned_alloc(alignment, bytes);
}

void __wrap_free(void* memory) {
  const AllocatorLock lock;
  __real_free(memory);
}
}

void* operator new(std::size_t bytes) {
  void* memory = std::malloc(bytes);
  if (memory == nullptr) fail("out of memory");
  return memory;
}

void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return std::malloc(bytes); }

void* operator new(std::size_t bytes, std::align_val_t alignment) {
  const std::size_t unit = static_cast<std::size_t>(alignment);
  void* memory = std::aligned_alloc(unit, (bytes + unit - 1) / unit * unit);
  if (memory == nullptr) fail("out of memory");
  return memory;
}

void* operator new[](std::size_t bytes) { return operator new(bytes); }
void* operator new[](std::size_t bytes, std::align_val_t alignment) { return operator new(bytes, alignment); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
