// Switches the processor from one stack to another.
#pragma once

#include <cstddef>

namespace eigenae::emulation {

// Saves the registers that a call preserves on the current stack, stores that stack's pointer in *saved and continues
// on the stack `next`, which an earlier switch or newStack returned.
void switchStack(void** saved, void* next) __asm__("eigenae_emulation_switch_stack");

// Returns the pointer of a stack on which the first switch calls entry(). Entry must not return. top is the end of the
// stack's memory, aligned to 16 bytes.
void* newStack(char* top, void (*entry)());

}  // namespace eigenae::emulation
