/* Objects with finalizers that keep a journal of who ran, for the tests of finalizers. */
#ifndef MIDDEN_TESTS_FINALIZER_JOURNAL_H
#define MIDDEN_TESTS_FINALIZER_JOURNAL_H

#include "harness.h"

enum { COUNT = 40, TARGET_BYTES = 40, BIG = 40000 };

/* What finalizers saw: numbers in the order in which they ran. */
extern struct journal {
  world *here;
  size_t count;
  size_t numbers[4 * COUNT];
  bool keeps; /* the finalizer stores its object in slots[2000 + number] */
  bool again; /* it registers itself again */
} journal;

/* An object: its number, the next one, and a leaf with the number's content. */
typedef struct thing {
  midden_word number, next, leaf, other;
} thing;

/* Opens a world and begins a new journal. */
void journal_begin(world *here, int index, const char *options);
midden_kind journal_define(world *here, const midden_shape *shape);
midden_kind journal_define_thing(world *here);
/* Makes thing `number` in slots[number]; some are large. */
thing *journal_make(world *here, midden_kind kind, size_t number);
void journal_make_all(world *here, midden_kind kind, size_t count);
void journal_link(world *here, size_t from, size_t to);
void journal_drop(world *here, size_t first, size_t count);
/* Whether what is unreachable is surely found so. */
bool journal_exact(const world *here);

/* The finalizer: checks its object, allocates, and writes the number down. Its context is &journal. */
void journal_finalize(midden_mutator *mutator, void *object, void *context);
void journal_run_all(world *here);
size_t journal_times(size_t number); /* how often it ran */
size_t journal_place(size_t number); /* when it ran first; SIZE_MAX: never */

#endif
