/* A table of strings, each with a number, without copies of the same one: what a snapshot's names refer to. */
#ifndef MIDDEN_DEBUG_STRINGS_H
#define MIDDEN_DEBUG_STRINGS_H

#include <stdint.h>

#include "base/table.h"

struct strings {
  const midden_memory *memory;
  struct table text;    /* all strings, each with its end */
  struct table starts;  /* size_t by number */
  struct table buckets; /* uint32_t: a number, more by one; count is a power of two */
  bool refused;         /* memory was: the numbers since then mean nothing */
};

/* post: the string's number, the same for the same text. The empty string's is 0, if it comes first. */
uint32_t mdn_strings_number(struct strings *strings, const char *text);
const char *mdn_strings_at(const struct strings *strings, size_t number);
void mdn_strings_close(struct strings *strings);

#endif
