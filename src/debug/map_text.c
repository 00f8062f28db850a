/* Text in HTML: see map_text.h. */
#include "debug/map_text.h"

#include <stdarg.h>

void mdn_map_text_print(struct output *output, const char *format, ...) {
  char line[500];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  mdn_output_text(output, line);
}

/* The length of the UTF-8 sequence at `bytes`; 0: it is none. */
static size_t sequence_length(const unsigned char *bytes) {
  size_t length = bytes[0] < 0x80 ? 1 : bytes[0] >= 0xc2 && bytes[0] < 0xe0 ? 2 : bytes[0] >= 0xe1 && bytes[0] < 0xed ? 3 : 0;
  for (size_t i = 1; i < length; i++) {
    if ((bytes[i] & 0xc0) != 0x80) return 0;
  }
  return length;
}

void mdn_map_text_escape(struct output *output, const char *string) {
  for (size_t length; *string; string += length ? length : 1) {
    const char *entity = *string == '&' ? "&amp;" : *string == '<' ? "&lt;" : *string == '>' ? "&gt;" : *string == '"' ? "&quot;" : NULL;
    length = (unsigned char)*string < 0x20 || *string == 0x7f ? 0 : sequence_length((const unsigned char *)string);
    if (entity) {
      mdn_output_text(output, entity);
    } else if (length == 0) {
      mdn_output_text(output, "?");
    } else {
      mdn_output_bytes(output, string, length);
    }
  }
}
