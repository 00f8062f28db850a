/* What options are made of, read and written: see option_values.h. */
#include "heap/option_values.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool mdn_option_parse_word(const struct word_value *words, const char *text, int *value) {
  for (; words->word; words++) {
    if (strcmp(words->word, text) == 0) {
      *value = words->value;
      return true;
    }
  }
  return false;
}

const char *mdn_option_print_word(const struct word_value *words, int value) {
  while (words->word && words->value != value) words++;
  return words->word ? words->word : "?";
}

/* "64K": digits, then K, M, G or T or nothing. */
bool mdn_option_parse_size(const char *text, size_t *size) {
  if (*text < '0' || *text > '9') return false;
  char *end;
  errno = 0;
  unsigned long long value = strtoull(text, &end, 10);
  if (errno) return false;
  static const char units[] = "KMGT";
  unsigned shift = 0;
  if (*end) {
    const char *unit = strchr(units, *end);
    if (!unit || end[1]) return false;
    shift = 10 * (unsigned)(unit - units + 1);
  }
  if (value > (SIZE_MAX >> shift)) return false;
  *size = (size_t)value << shift;
  return true;
}

void mdn_option_print_size(size_t size, char *text, size_t capacity) {
  static const char units[] = "\0KMGT";
  unsigned unit = 0;
  while (size && size % 1024 == 0 && unit < 4) {
    size /= 1024;
    unit++;
  }
  snprintf(text, capacity, "%zu%.1s", size, &units[unit]);
}

void mdn_option_print_size_or_auto(size_t size, char *text, size_t capacity) {
  if (size) mdn_option_print_size(size, text, capacity);
  else snprintf(text, capacity, "auto");
}

bool mdn_option_parse_number(const char *text, uint64_t *number) {
  if (*text < '0' || *text > '9') return false;
  char *end;
  errno = 0;
  *number = strtoull(text, &end, 0);
  return !errno && !*end;
}

bool mdn_option_parse_size_or_auto(const char *text, size_t *size) {
  if (strcmp(text, "auto") != 0) return mdn_option_parse_size(text, size) && *size > 0;
  *size = 0;
  return true;
}
