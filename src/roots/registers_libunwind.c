/* Registers by libunwind's unw_getcontext, which stores them all into a structure of ours. */
#define UNW_LOCAL_ONLY
#include <libunwind.h>
#include <string.h>

#include "roots/registers.h"

__attribute__((noinline)) void mdn_registers_call(registers_function function, void *context) {
  unw_context_t registers;
  memset(&registers, 0, sizeof registers); /* most of it is not written, and would show what the stack held before */
  unw_getcontext(&registers);
  function(context, (const midden_word *)(const void *)&registers, sizeof registers / sizeof(midden_word));
  __asm__ volatile("" : : "r"(&registers) : "memory"); /* not a tail call; the context stays */
}
