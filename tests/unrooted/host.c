/* A small host with precise roots. Without an argument it has a bug: keep_two does not tell of one of its variables, and
 * keep_copy not of its copy of a root, and keep_far holds a reference in a register that its callees save. With "fixed" it
 * has no bug.
 *
 * usage: host OPTIONS lost|stale|far|fixed */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "midden/midden.h"

struct pair {
  void *car, *cdr;
};

static midden_mutator *mutator;
static midden_kind PAIR, STRING;
static struct pair *root;

/* What hides a variable's value from the compiler, so that it stays where it is. */
#define OPAQUE(value) __asm__ volatile("" : "+r"(value) : : "memory")

__attribute__((noinline)) static void collect(void) { midden_collect(mutator, MIDDEN_FULL); }

/* Leaves no old references in the part of the stack that the next calls use. */
__attribute__((noinline)) static void wipe(void) {
  volatile char space[4096];
  for (size_t i = 0; i < sizeof space; i++) space[i] = 0;
}

/* `second` is in no frame: the collection does not see it. */
__attribute__((noinline)) static int keep_two(void) {
  struct pair *first = midden_alloc(mutator, PAIR);
  MIDDEN_FRAME(mutator, first);
  void *second = midden_alloc(mutator, STRING);
  OPAQUE(second);
  collect();
  OPAQUE(second);
  MIDDEN_END(mutator);
  return first && second;
}

__attribute__((noinline)) static int keep_two_fixed(void) {
  struct pair *first = NULL;
  void *second = NULL;
  MIDDEN_FRAME(mutator, first, second);
  first = midden_alloc(mutator, PAIR);
  second = midden_alloc(mutator, STRING);
  collect();
  MIDDEN_END(mutator);
  return first && second;
}

/* The object lives by `root`; `copy` is not rewritten when it moves. */
__attribute__((noinline)) static int keep_copy(void) {
  struct pair *copy = root;
  OPAQUE(copy);
  collect();
  OPAQUE(copy);
  return copy != NULL;
}

/* Uses as many registers as it can, and so saves those of its callers in its own frame. */
__attribute__((noinline)) static int use_registers(int depth) {
  int a = depth + 1, b = depth + 2, c = depth + 3, d = depth + 4, e = depth + 5;
  OPAQUE(a);
  OPAQUE(b);
  OPAQUE(c);
  OPAQUE(d);
  OPAQUE(e);
  if (depth > 0) use_registers(depth - 1);
  else collect();
  OPAQUE(a);
  OPAQUE(b);
  OPAQUE(c);
  OPAQUE(d);
  OPAQUE(e);
  return a + b + c + d + e;
}

__attribute__((noinline)) static int keep_far(void) {
  void *object = midden_alloc(mutator, STRING);
  OPAQUE(object);
  int sum = use_registers(3);
  OPAQUE(object);
  return object && sum;
}

static midden_kind define(midden_heap *heap, const char *name, midden_layout refs) {
  midden_shape shape = {.name = name, .size = sizeof(struct pair), .refs = refs};
  return midden_kind_define(heap, &shape, NULL);
}

int main(int count, char **arguments) {
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  midden_error error;
  midden_heap *heap;
  if (count != 3) return 2;
  if (midden_config_parse(&config, arguments[1], &error) != MIDDEN_OK || midden_heap_open(&config, &heap, &error) != MIDDEN_OK) {
    fprintf(stderr, "%s: %s\n", midden_status_name(error.status), error.message);
    return 2;
  }
  mutator = midden_attach(heap, NULL, NULL);
  PAIR = define(heap, "pair", MIDDEN_REFS_ALL);
  STRING = define(heap, "string", MIDDEN_REFS_NONE);
  midden_root_add(heap, &root);
  root = midden_alloc(mutator, PAIR);
  int good = 1;
  for (int i = 0; i < 3; i++) {
    wipe(); /* a slot that is not written yet would hold what the last call left there */
    if (strcmp(arguments[2], "lost") == 0) good &= keep_two();
    else if (strcmp(arguments[2], "stale") == 0) good &= keep_copy();
    else if (strcmp(arguments[2], "far") == 0) good &= keep_far();
    else good &= keep_two_fixed();
  }
  midden_statistics statistics;
  midden_statistics_read(heap, &statistics);
  printf("good %d lost %llu stale %llu\n", good, (unsigned long long)statistics.unrooted_lost,
         (unsigned long long)statistics.unrooted_stale);
  return midden_heap_close(heap) == MIDDEN_OK ? 0 : 1;
}
