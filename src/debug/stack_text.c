/* Places in the program as text: see stack_text.h. */
#include "debug/stack_text.h"

#include <string.h>

#include "base/os_program.h"
#include "roots/backtrace.h"

void mdn_stack_text_short(struct text *text, uintptr_t address, bool call) {
  char name[96];
  size_t offset = 0;
  if (mdn_backtrace_name(address, call, name, sizeof name, &offset)) {
    mdn_text_add(text, "%s+%#zx", name, offset);
  } else {
    mdn_text_add(text, "%#zx", (size_t)address);
  }
}

void mdn_stack_text_place(struct text *text, uintptr_t address, bool call) {
  char file[96];
  size_t offset = 0;
  mdn_stack_text_short(text, address, call);
  if (mdn_os_program_file(call ? address - 1 : address, file, sizeof file, &offset)) {
    mdn_text_add(text, " (%s %#zx)", file, offset);
  }
}

/* The public functions leave the stack when they call these last. */
bool mdn_stack_is_ours(uintptr_t address) {
  static const char *const names[] = {"take_or_borrow", "take_carefully", "borrow_cell", "collect_if_due", "collect_with"};
  char name[32];
  size_t offset;
  if (!mdn_backtrace_name(address, true, name, sizeof name, &offset)) return false;
  name[strcspn(name, ".")] = 0; /* of the parts that a compiler makes of a function */
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (strcmp(name, names[i]) == 0) return true;
  }
  return strncmp(name, "midden_", 7) == 0 || strncmp(name, "mdn_", 4) == 0;
}
