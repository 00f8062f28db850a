/* A midden_writer that keeps the text, and on request takes no more. */
#ifndef MIDDEN_TESTS_TEXT_WRITER_H
#define MIDDEN_TESTS_TEXT_WRITER_H

#include <string.h>

#include "midden/graph.h"

typedef struct text_writer {
  size_t length;
  size_t calls, refuse_from; /* this call and those after it; SIZE_MAX: none */
  char bytes[1 << 20];       /* what fits, terminated */
} text_writer;

static bool text_writer_write(void *context, const char *bytes, size_t count) {
  text_writer *text = context;
  if (text->calls++ >= text->refuse_from) return false;
  size_t room = sizeof text->bytes - 1 - text->length;
  if (count > room) count = room;
  memcpy(text->bytes + text->length, bytes, count);
  text->length += count;
  text->bytes[text->length] = '\0';
  return true;
}

static inline midden_writer text_writer_open(text_writer *text) {
  text->length = text->calls = 0;
  text->refuse_from = SIZE_MAX;
  text->bytes[0] = '\0';
  midden_writer writer = {text_writer_write, text};
  return writer;
}

#endif
