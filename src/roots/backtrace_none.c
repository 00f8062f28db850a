/* Without libunwind: see backtrace.h. */
#include "roots/backtrace.h"

bool mdn_backtrace_possible(void) { return false; }

size_t mdn_backtrace(uintptr_t *addresses, size_t most) {
  (void)addresses, (void)most;
  return 0;
}

bool mdn_backtrace_name(uintptr_t address, bool call, char *name, size_t capacity, size_t *offset) {
  (void)address, (void)call, (void)name, (void)capacity, (void)offset;
  return false;
}
