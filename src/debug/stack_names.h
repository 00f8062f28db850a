/* Which function a word of the running C stack belongs to. One file for each way: stack_names_libunwind.c,
 * stack_names_builtin.c. */
#ifndef MIDDEN_DEBUG_STACK_NAMES_H
#define MIDDEN_DEBUG_STACK_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* post: false if it cannot be found out, and text is as it was. Unwinds the stack: for reports only. */
bool mdn_stack_function(const void *address, char *text, size_t capacity);

#endif
