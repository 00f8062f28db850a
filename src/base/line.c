/* Text in a buffer: see line.h. */
#include "base/line.h"

#include <stdarg.h>
#include <stdio.h>

void mdn_line_add(struct line *line, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  size_t room = line->length < line->capacity ? line->capacity - line->length : 0;
  int more = vsnprintf(room ? line->bytes + line->length : NULL, room, format, arguments);
  va_end(arguments);
  line->length += more > 0 ? (size_t)more : 0;
}
