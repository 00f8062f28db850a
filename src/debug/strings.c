/* Strings: see strings.h. An open hash table with linear probing; FNV-1a (Fowler, Noll, Vo). */
#include "debug/strings.h"

#include <string.h>

const char *mdn_strings_at(const struct strings *strings, size_t number) {
  return (const char *)strings->text.items + ((const size_t *)strings->starts.items)[number];
}

static uint32_t *place_of_string(const struct strings *strings, const char *text) {
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  for (const char *at = text; *at; at++) hash = (hash ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
  uint32_t *buckets = strings->buckets.items;
  for (size_t i = (size_t)(hash ^ hash >> 32);; i++) {
    uint32_t *place = &buckets[i & (strings->buckets.count - 1)];
    if (*place == 0 || strcmp(mdn_strings_at(strings, *place - 1), text) == 0) return place;
  }
}

/* At least half of the places stay free. */
static bool grow_buckets(struct strings *strings) {
  size_t count = strings->buckets.count ? 2 * strings->buckets.count : 1024;
  struct table larger = {NULL, 0, 0};
  if (!table_grow(&larger, strings->memory, count, sizeof(uint32_t))) return false;
  larger.count = count;
  mdn_table_close(&strings->buckets, strings->memory);
  strings->buckets = larger;
  for (size_t i = 0; i < strings->starts.count; i++) *place_of_string(strings, mdn_strings_at(strings, i)) = (uint32_t)i + 1;
  return true;
}

static bool room_for_string(struct strings *strings, size_t length) {
  const midden_memory *memory = strings->memory;
  if (2 * (strings->starts.count + 1) > strings->buckets.count && !grow_buckets(strings)) return false;
  return strings->starts.count < UINT32_MAX - 1 && table_grow(&strings->text, memory, strings->text.count + length, 1) &&
         table_grow(&strings->starts, memory, strings->starts.count + 1, sizeof(size_t));
}

uint32_t mdn_strings_number(struct strings *strings, const char *text) {
  if (strings->buckets.count) {
    uint32_t known = *place_of_string(strings, text);
    if (known) return known - 1;
  }
  size_t length = strlen(text) + 1;
  if (!room_for_string(strings, length)) {
    strings->refused = true;
    return 0;
  }
  ((size_t *)strings->starts.items)[strings->starts.count] = strings->text.count;
  memcpy((char *)strings->text.items + strings->text.count, text, length);
  strings->text.count += length;
  uint32_t *place = place_of_string(strings, text);
  *place = (uint32_t)++strings->starts.count;
  return *place - 1;
}

void mdn_strings_close(struct strings *strings) {
  mdn_table_close(&strings->text, strings->memory);
  mdn_table_close(&strings->starts, strings->memory);
  mdn_table_close(&strings->buckets, strings->memory);
}
