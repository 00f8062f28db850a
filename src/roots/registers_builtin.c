/* Registers by the compiler: __builtin_unwind_init makes the function save every callee-saved register
 * in its frame, and that frame is handed on. For builds without libunwind. */
#include "roots/registers.h"

/* The words from this function's frame up to the end of the caller's. */
static __attribute__((noinline)) void call_with_frame(registers_function function, void *context, const char *end) {
  const char *low = __builtin_frame_address(0);
  function(context, (const midden_word *)(const void *)low, (size_t)(end - low) / sizeof(midden_word));
  __asm__ volatile("" : : "r"(low) : "memory");
}

__attribute__((noinline)) void mdn_registers_call(registers_function function, void *context) {
  __builtin_unwind_init();
  const char *frame = __builtin_frame_address(0);
  call_with_frame(function, context, frame + 2 * sizeof(midden_word));
  __asm__ volatile("" : : "r"(frame) : "memory");
}
