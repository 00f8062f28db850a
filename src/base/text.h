/* Text put together in a buffer of the caller's, also in a signal handler, where snprintf is not allowed. */
#ifndef MIDDEN_BASE_TEXT_H
#define MIDDEN_BASE_TEXT_H

#include <stddef.h>

/* Invariant: `text` ends with a zero if capacity is not 0; `length` counts also what did not fit. */
struct text {
  char *text;
  size_t capacity, length;
};

struct text mdn_text_open(char *buffer, size_t capacity);

/* Adds what the format says: %s, %zu and %#zx, as printf's, and no others. */
__attribute__((format(printf, 2, 3))) void mdn_text_add(struct text *text, const char *format, ...);

#endif
