#include "stack_switch.h"

#include <cstring>

namespace eigenae::emulation {

#if defined(__x86_64__)

// System V: rbx, rbp and r12 to r15 are preserved. A new stack holds six zeros for them and the address of entry, at
// which rsp + 8 is a multiple of 16 as after a call.
__asm__(R"(
.text
.globl eigenae_emulation_switch_stack
eigenae_emulation_switch_stack:
  push %rbp
  push %rbx
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, (%rdi)
  mov %rsi, %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbx
  pop %rbp
  ret
)");

constexpr std::size_t frameBytes = 64;
constexpr std::size_t entryOffset = 48;

#elif defined(__aarch64__)

// AAPCS64: x19 to x28, the frame pointer x29, and the lower halves of v8 to v15 are preserved; x30 is the return
// address.
__asm__(R"(
.text
.globl eigenae_emulation_switch_stack
.p2align 2
eigenae_emulation_switch_stack:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
)");

constexpr std::size_t frameBytes = 160;
constexpr std::size_t entryOffset = 88;

#else
#error "The emulation of CUDA kernels runs on x86-64 and arm64."
#endif

void* newStack(char* top, void (*entry)()) {
  char* const frame = top - frameBytes;
  std::memset(frame, 0, frameBytes);
  std::memcpy(frame + entryOffset, &entry, sizeof entry);
  return frame;
}

}  // namespace eigenae::emulation
