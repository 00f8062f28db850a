/* Strings of the sizes that interpreters make: a pool of SIZE (40 000) strings; each step joins pieces of two
 * of them to a new one, hashes it, and puts one in four into the pool. Most are shorter than 64 bytes, one in
 * twenty is longer than 256. */
#include "shim.h"

struct string {
  uint32_t length, hash;
  char text[];
};

static shim_kind string_kind, array_kind;

/* Of what is joined to: 60 % up to 32 bytes, 25 % to 64, 10 % to 256, 5 % to 2048. */
static uint32_t random_length(void) {
  uint64_t percent = shim_random_below(100);
  uint64_t most = percent < 60 ? 24 : percent < 85 ? 56 : percent < 95 ? 248 : 2040;
  uint64_t least = percent < 60 ? 4 : percent < 85 ? 25 : percent < 95 ? 57 : 249;
  return (uint32_t)(least + shim_random_below(most - least + 1));
}

/* Of at most eight bytes, from the first to the last, as interpreters do with long strings. */
static uint32_t hash_of(const char *text, uint32_t length) {
  uint32_t hash = length, step = length / 8 + 1;
  for (uint32_t i = length; i >= step; i -= step) hash = (hash ^ (unsigned char)text[i - 1]) * UINT32_C(0x01000193);
  return hash ^ hash >> 15;
}

static SHIM_NOINLINE struct string *new_string(uint32_t length) {
  struct string *string = shim_allocate_leaf(string_kind, sizeof *string + length);
  string->length = length;
  return string;
}

static SHIM_NOINLINE struct string *original(uint64_t number) {
  struct string *string = new_string(random_length());
  memset(string->text, (int)('a' + number % 26), string->length);
  string->hash = hash_of(string->text, string->length);
  return string;
}

/* A new string of a random length: the start of one and the end of the other, repeated. */
static SHIM_NOINLINE struct string *join(struct string *left, struct string *right) {
  SHIM_FRAME(left, right);
  struct string *string = new_string(random_length());
  uint32_t length = string->length, head = length / 2 < left->length ? length / 2 : left->length;
  memcpy(string->text, left->text, head);
  for (uint32_t at = head; at < length;) {
    uint32_t part = length - at < right->length ? length - at : right->length;
    memcpy(string->text + at, right->text + right->length - part, part);
    at += part;
  }
  string->hash = hash_of(string->text, length);
  SHIM_END();
  return string;
}

static bool is_right(const struct string *string) {
  return hash_of(string->text, string->length) == string->hash;
}

/* One step; true if the string that it drops is still what it was. */
static SHIM_NOINLINE bool step(struct string **pool, uint64_t size, uint64_t *checksum) {
  SHIM_FRAME(pool);
  uint64_t left = shim_random_below(size), right = shim_random_below(size);
  struct string *string = join(pool[left], pool[right]);
  *checksum = *checksum * 31 + string->hash;
  bool correct = true;
  if (string->hash % 4 == 0) {
    correct = is_right(pool[left]);
    shim_free(pool[left]);
    shim_store(pool, &pool[left], string);
  } else {
    shim_free(string);
  }
  SHIM_END();
  return correct;
}

static SHIM_NOINLINE bool run(uint64_t size, uint64_t *checksum) {
  struct string **pool = NULL;
  SHIM_FRAME(pool);
  pool = shim_allocate_array(array_kind, size);
  for (uint64_t i = 0; i < size; i++) {
    struct string *string = original(i);
    shim_store(pool, &pool[i], string);
  }
  bool correct = true;
  uint64_t steps = 40 * size;
  for (uint64_t i = 0; i < steps; i++) {
    correct = step(pool, size, checksum) && correct;
    if (i % (steps / 4) == 0) shim_checkpoint();
  }
  shim_checkpoint();
  for (uint64_t i = 0; i < size; i++) {
    correct = correct && is_right(pool[i]);
    shim_free(pool[i]);
  }
  shim_free(pool);
  SHIM_END();
  return correct;
}

int main(int argc, char **argv) {
  uint64_t size = shim_begin(argc, argv, 40000, __builtin_frame_address(0));
  string_kind = shim_define_leaf("string");
  array_kind = shim_define_array("pool");
  uint64_t checksum = 0;
  bool correct = run(size, &checksum);
  return shim_finish(correct, checksum);
}
