/* Functions by libunwind: a frame reaches from its stack pointer to that of the frame that called it. */
#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include "debug/stack_names.h"

#define FRAMES_MOST 1000

bool mdn_stack_function(const void *address, char *text, size_t capacity) {
  unw_context_t context;
  unw_cursor_t cursor;
  if (unw_getcontext(&context) != 0 || unw_init_local(&cursor, &context) != 0) return false;
  for (int i = 0; i < FRAMES_MOST; i++) {
    unw_cursor_t frame = cursor;
    unw_word_t caller, offset;
    if (unw_step(&cursor) <= 0 || unw_get_reg(&cursor, UNW_REG_SP, &caller) != 0) return false;
    if ((unw_word_t)address < caller) return unw_get_proc_name(&frame, text, capacity, &offset) == 0;
  }
  return false;
}
