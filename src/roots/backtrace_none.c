/* Without libunwind: see backtrace.h. */
#include "roots/backtrace.h"

bool mdn_backtrace_possible(void) { return false; }

size_t mdn_backtrace(uintptr_t *addresses, size_t most) {
  (void)addresses, (void)most;
  return 0;
}

size_t mdn_backtrace_fault(void *context, uintptr_t *addresses, size_t most) {
  (void)context, (void)addresses, (void)most;
  return 0;
}

bool mdn_backtrace_name(uintptr_t address, bool call, char *name, size_t capacity, size_t *offset) {
  (void)address, (void)call, (void)name, (void)capacity, (void)offset;
  return false;
}

size_t mdn_backtrace_frames(struct backtrace_frame *frames, size_t most) {
  (void)frames, (void)most;
  return 0;
}

bool mdn_backtrace_holder(const void *word, char *text, size_t capacity) {
  (void)word, (void)text, (void)capacity;
  return false;
}
