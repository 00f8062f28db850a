/* The call stack by libunwind: see backtrace.h. */
#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include "roots/backtrace.h"

bool mdn_backtrace_possible(void) { return true; }

static uintptr_t frame_address(unw_cursor_t *cursor) {
  unw_word_t address = 0;
  return unw_get_reg(cursor, UNW_REG_IP, &address) == 0 ? (uintptr_t)address : 0;
}

static size_t rest_of_stack(unw_cursor_t *cursor, uintptr_t *addresses, size_t most) {
  size_t count = 0;
  while (count < most) {
    uintptr_t address = frame_address(cursor);
    if (address) addresses[count++] = address;
    if (unw_step(cursor) <= 0) break;
  }
  return count;
}

__attribute__((noinline)) size_t mdn_backtrace(uintptr_t *addresses, size_t most) {
  unw_context_t context;
  unw_cursor_t cursor;
  if (unw_getcontext(&context) != 0 || unw_init_local(&cursor, &context) != 0) return 0;
  /* Past this function and the one that called it. */
  if (unw_step(&cursor) <= 0 || unw_step(&cursor) <= 0) return 0;
  return rest_of_stack(&cursor, addresses, most);
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
