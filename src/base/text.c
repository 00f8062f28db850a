/* Text without the C library: see text.h. */
#include "base/text.h"

#include <stdarg.h>
#include <string.h>

struct text mdn_text_open(char *buffer, size_t capacity) {
  if (capacity > 0) buffer[0] = 0;
  return (struct text){buffer, capacity, 0};
}

static void put(struct text *text, char letter) {
  if (text->length + 1 < text->capacity) {
    text->text[text->length] = letter;
    text->text[text->length + 1] = 0;
  }
  text->length++;
}

static void put_string(struct text *text, const char *string) {
  while (*string) put(text, *string++);
}

static void put_number(struct text *text, size_t number, size_t base) {
  char digits[24];
  size_t count = 0;
  do {
    digits[count++] = "0123456789abcdef"[number % base];
    number /= base;
  } while (number > 0);
  while (count > 0) put(text, digits[--count]);
}

void mdn_text_add(struct text *text, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  for (const char *at = format; *at; at++) {
    if (strncmp(at, "%zu", 3) == 0) {
      put_number(text, va_arg(arguments, size_t), 10);
      at += 2;
    } else if (strncmp(at, "%#zx", 4) == 0) {
      put_string(text, "0x");
      put_number(text, va_arg(arguments, size_t), 16);
      at += 3;
    } else if (strncmp(at, "%s", 2) == 0) {
      put_string(text, va_arg(arguments, const char *));
      at++;
    } else {
      put(text, *at);
    }
  }
  va_end(arguments);
}
