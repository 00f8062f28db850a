/* The call stack by libunwind: see backtrace.h. Of a local stack unw_step and unw_get_proc_name are safe in a signal
 * handler, by their manual pages. */
#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include "roots/backtrace.h"

/* The registers that a callee preserves, of the machines that libunwind tells apart at compile time. */
static const unw_regnum_t preserved[] = {
#if defined(UNW_TARGET_X86_64)
    UNW_X86_64_RBX, UNW_X86_64_RBP, UNW_X86_64_R12, UNW_X86_64_R13, UNW_X86_64_R14, UNW_X86_64_R15,
#elif defined(UNW_TARGET_AARCH64)
    UNW_AARCH64_X19, UNW_AARCH64_X20, UNW_AARCH64_X21, UNW_AARCH64_X22, UNW_AARCH64_X23, UNW_AARCH64_X24,
    UNW_AARCH64_X25, UNW_AARCH64_X26, UNW_AARCH64_X27, UNW_AARCH64_X28,
#else
    UNW_REG_SP, /* a place holder: no reference is ever found in it */
#endif
};
#define PRESERVED (sizeof preserved / sizeof preserved[0])

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

size_t mdn_backtrace_fault(void *context, uintptr_t *addresses, size_t most) {
  unw_cursor_t cursor;
  if (unw_init_local2(&cursor, context, UNW_INIT_SIGNAL_FRAME) != 0) return 0;
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

static void read_frame(unw_cursor_t *cursor, struct backtrace_frame *frame) {
  unw_word_t stack_pointer = 0;
  unw_proc_info_t procedure;
  unw_get_reg(cursor, UNW_REG_SP, &stack_pointer);
  *frame = (struct backtrace_frame){.address = frame_address(cursor), .stack_pointer = (uintptr_t)stack_pointer};
  if (unw_get_proc_info(cursor, &procedure) == 0) frame->function = (uintptr_t)procedure.start_ip;
  for (size_t i = 0; i < PRESERVED; i++) {
    unw_word_t value = 0;
    unw_save_loc_t place;
    if (unw_get_reg(cursor, preserved[i], &value) == 0) frame->registers[i] = (uintptr_t)value;
    if (unw_get_save_loc(cursor, preserved[i], &place) == 0 && place.type == UNW_SLT_MEMORY) {
      frame->saved_at[i] = (uintptr_t)place.u.addr;
    }
  }
}

__attribute__((noinline)) size_t mdn_backtrace_frames(struct backtrace_frame *frames, size_t most) {
  unw_context_t context;
  unw_cursor_t cursor;
  if (unw_getcontext(&context) != 0 || unw_init_local(&cursor, &context) != 0) return 0;
  size_t count = 0;
  while (count < most && unw_step(&cursor) > 0) read_frame(&cursor, &frames[count++]);
  return count;
}

#define HOLDER_FRAMES_MOST 1000

bool mdn_backtrace_holder(const void *word, char *text, size_t capacity) {
  unw_context_t context;
  unw_cursor_t cursor;
  if (unw_getcontext(&context) != 0 || unw_init_local(&cursor, &context) != 0) return false;
  for (int i = 0; i < HOLDER_FRAMES_MOST; i++) {
    unw_cursor_t frame = cursor;
    unw_word_t caller, offset;
    if (unw_step(&cursor) <= 0 || unw_get_reg(&cursor, UNW_REG_SP, &caller) != 0) return false;
    if ((unw_word_t)word < caller) return unw_get_proc_name(&frame, text, capacity, &offset) == 0;
  }
  return false;
}
