/* The call stack by libunwind: see backtrace.h. */
#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include "roots/backtrace.h"

bool mdn_backtrace_possible(void) { return true; }

/* unw_backtrace remembers how each frame was unwound: an order of magnitude faster than unw_step. */
#define BACKTRACE_MOST 128
#define BACKTRACE_OWN 2 /* this function's frame, and that of the function that called it */

__attribute__((noinline)) size_t mdn_backtrace(uintptr_t *addresses, size_t most) {
  void *frames[BACKTRACE_MOST];
  int wanted = most < BACKTRACE_MOST - BACKTRACE_OWN ? (int)most + BACKTRACE_OWN : BACKTRACE_MOST;
  int found = unw_backtrace(frames, wanted);
  for (int i = BACKTRACE_OWN; i < found; i++) addresses[i - BACKTRACE_OWN] = (uintptr_t)frames[i];
  return found > BACKTRACE_OWN ? (size_t)(found - BACKTRACE_OWN) : 0;
}

bool mdn_backtrace_name(uintptr_t address, bool call, char *name, size_t capacity, size_t *offset) {
  unw_context_t context;
  unw_cursor_t cursor;
  unw_word_t distance = 0;
  uintptr_t within = call ? address - 1 : address; /* a call may be its function's last instruction */
  if (unw_getcontext(&context) != 0 || unw_init_local(&cursor, &context) != 0) return false;
  if (unw_set_reg(&cursor, UNW_REG_IP, within) != 0) return false;
  int status = unw_get_proc_name(&cursor, name, capacity, &distance);
  if (status != 0 && status != -UNW_ENOMEM) return false; /* cut is good enough */
  *offset = (size_t)distance + (address - within);
  return true;
}
