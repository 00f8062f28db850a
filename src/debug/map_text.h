/* Text in HTML. */
#ifndef MIDDEN_DEBUG_MAP_TEXT_H
#define MIDDEN_DEBUG_MAP_TEXT_H

#include "debug/output.h"

/* At most 500 bytes. */
__attribute__((format(printf, 2, 3))) void mdn_map_text_print(struct output *output, const char *format, ...);
/* A string of the host's: markup is escaped, what is no UTF-8 or no text becomes a question mark. */
void mdn_map_text_escape(struct output *output, const char *string);

#endif
