/* Text that is put together in a buffer of fixed size, as snprintf does it: what does not fit is cut, and counted. */
#ifndef MIDDEN_BASE_LINE_H
#define MIDDEN_BASE_LINE_H

#include <stddef.h>
#include <stdint.h>

struct line {
  char *bytes; /* terminated, if there is any room */
  size_t capacity, length; /* the length that all of it needs, without the terminator */
};

__attribute__((format(printf, 2, 3))) void mdn_line_add(struct line *line, const char *format, ...);

/* Nanoseconds as milliseconds with three decimals: by integers, for a host's locale may have a comma. */
#define MILLISECONDS_FORMAT "%llu.%03u"
#define MILLISECONDS(ns) (unsigned long long)((ns) / 1000000), (unsigned)((ns) / 1000 % 1000)

#endif
