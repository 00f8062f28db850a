/* Without libunwind no function is known. */
#include "debug/stack_names.h"

bool mdn_stack_function(const void *address, char *text, size_t capacity) {
  (void)address, (void)text, (void)capacity;
  return false;
}
