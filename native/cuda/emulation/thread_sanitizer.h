// ThreadSanitizer's interface for fibers. The functions are null if ThreadSanitizer is not linked. The files that
// include this one are themselves compiled without ThreadSanitizer: their switches and counters would confuse it.
#pragma once

extern "C" {
__attribute__((weak)) void* __tsan_get_current_fiber();
__attribute__((weak)) void* __tsan_create_fiber(unsigned flags);
__attribute__((weak)) void __tsan_destroy_fiber(void* fiber);
__attribute__((weak)) void __tsan_switch_to_fiber(void* fiber, unsigned flags);
__attribute__((weak)) void __tsan_acquire(void* address);
__attribute__((weak)) void __tsan_release(void* address);
}

namespace eigenae::emulation::sanitizer {

inline bool linked() { return __tsan_create_fiber != nullptr; }
inline void* currentFiber() { return linked() ? __tsan_get_current_fiber() : nullptr; }
// The new fiber sees everything that the caller wrote before.
inline void* createFiber() { return linked() ? __tsan_create_fiber(0) : nullptr; }
inline void destroyFiber(void* fiber) {
  if (linked()) __tsan_destroy_fiber(fiber);
}
// The switch itself orders nothing (flag 1).
inline void switchTo(void* fiber) {
  if (linked()) __tsan_switch_to_fiber(fiber, 1);
}
inline void acquire(const void* address) {
  if (linked()) __tsan_acquire(const_cast<void*>(address));
}
inline void release(const void* address) {
  if (linked()) __tsan_release(const_cast<void*>(address));
}

}  // namespace eigenae::emulation::sanitizer
