/* What the values of options are made of: words, sizes, numbers. Reading answers false for what is none; writing gives
 * what reads back to the same. */
#ifndef MIDDEN_HEAP_OPTION_VALUES_H
#define MIDDEN_HEAP_OPTION_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The last of a list has no word. */
struct word_value {
  const char *word;
  int value;
};

bool mdn_option_parse_word(const struct word_value *words, const char *text, int *value);
const char *mdn_option_print_word(const struct word_value *words, int value);

/* "64K": digits, then K, M, G or T or nothing. */
bool mdn_option_parse_size(const char *text, size_t *size);
void mdn_option_print_size(size_t size, char *text, size_t capacity);

/* A size above 0, or "auto", which is 0. */
bool mdn_option_parse_size_or_auto(const char *text, size_t *size);
void mdn_option_print_size_or_auto(size_t size, char *text, size_t capacity);

/* Decimal, or as C writes others. */
bool mdn_option_parse_number(const char *text, uint64_t *number);

#endif
