/* What the Check programs share: the combinations of collector, stack mode and stress that a test
 * runs under, a heap opened for one of them, rooted host slots, and the body of main.
 *
 * Each combination is a Check test case named like "copying/precise/alloc:7" or
 * "copying/precise/alloc:7/generational", so that
 *   CK_RUN_CASE=copying/precise/alloc:7 CK_FORK=no ./conformance-kinds
 * runs one of them in a debugger. */
#ifndef MIDDEN_TESTS_HARNESS_H
#define MIDDEN_TESTS_HARNESS_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "midden/midden.h"

/* What a test may expect of a collector's moving. */
typedef enum moving {
  MOVES_NEVER,
  MOVES_SOMETIMES, /* compaction: what already lies right stays */
  MOVES_ALWAYS     /* copying: whatever is not pinned moves in each collection */
} moving;

typedef struct combination {
  const char *collector;
  midden_stack_mode stack;
  midden_stress stress;
  uint64_t stress_value;
  bool generational;
  bool collects;
  moving moves;
  char name[64];
} combination;

/* All combinations: every collector of this build, the three stack modes, stress off, alloc:1, alloc:7
 * and random, without and with generations. A collector that the harness does not know is taken to collect and to move sometimes. */
size_t combination_count(void);
const combination *combination_at(int index);

/* What a collector is known to do, by name. */
bool collector_collects(const char *name);
moving collector_moves(const char *name);

/* Where a test makes sense; the bits are requirements, joined by "and". */
enum {
  ANYWHERE = 0,
  COLLECTING = 1,   /* the collector collects */
  MOVING = 2,       /* it moves objects, at least sometimes */
  EVACUATING = 4,   /* it moves all that is not pinned, always */
  CONSERVATIVE = 8, /* stack=conservative */
  PRECISE = 16,     /* stack=precise */
  CALM = 32,        /* no stress: for long tests */
  MILD = 64,        /* any stress but alloc:1 */
  NEVER_COLLECTING = 128,
  GENERATIONAL = 256,
  ONE_GENERATION = 512, /* what stress= makes are full collections */
  STRESSED = 1024,      /* any stress but none */
  PINNING = 2048        /* stack=pinning: with it only tests that ask for it are run */
};

typedef struct test_entry {
  const TTest *test;
  unsigned requirements;
} test_entry;

/* Runs the tests under every combination that meets their requirements.
 * post: the exit status for main; Check's closing lines are printed. */
int run_combinations(const char *suite_name, const test_entry *tests, size_t count);

/* Runs the tests once each; the loop index is 0. */
int run_once(const char *suite_name, const TTest *const *tests, size_t count);

/* ---- A heap for one combination ---- */

enum { WORLD_SLOTS = 4096 };

typedef struct world {
  const combination *combination;
  midden_config config;
  midden_heap *heap;
  midden_mutator *mutator;
  midden_word *slots; /* WORLD_SLOTS precise roots outside the heap, all NULL at first */
  midden_kind leaf;   /* variable size, no references */
  midden_kind pair;   /* two words, both references */
  midden_kind vector; /* a length word, then references */
} world;

typedef struct pair {
  midden_word car;
  midden_word cdr;
} pair;

typedef struct vector {
  uintptr_t length;
  midden_word elements[];
} vector;

/* The configuration of a combination, with poison=yes and, if it collects, verify=both; then what the environment
 * variable MIDDEN_TEST_OPTIONS says. */
midden_config combination_config(int index);

/* Opens a heap for a combination; `options` (may be NULL) is applied on top. */
void world_open(world *here, int index, const char *options);
/* The same with a configuration that the test has changed. */
void world_open_config(world *here, int index, const midden_config *config);
/* Verifies and closes. */
void world_close(world *here);

/* Collects; under a collector that cannot, checks that it says so. */
void world_collect(world *here);
/* Allocates garbage full of set bits, enough to trigger stress, and drops it. */
void world_churn(world *here, size_t objects);
void world_verify(world *here);
midden_statistics world_statistics(world *here);
/* `calm` without stress, else `stressed`. */
size_t world_count(const world *here, size_t calm, size_t stressed);

/* Allocation that fails the test instead of returning NULL. */
void *world_leaf(world *here, size_t size, uint64_t seed); /* filled, see leaf_check */
pair *world_pair(world *here);
vector *world_vector(world *here, size_t length);

/* Content of a leaf: pseudo-random words from a seed. */
void leaf_fill(void *object, size_t size, uint64_t seed);
bool leaf_is(const void *object, size_t size, uint64_t seed);

/* A list of pairs of `length` in slots[slot]: each car is the immediate (index << 3 | 1). */
void world_list(world *here, size_t slot, size_t length);
void world_list_check(world *here, size_t slot, size_t length);

/* An integer as a word that is never a reference under the default tags, and back. */
static inline uintptr_t immediate(uintptr_t number) { return number << 3 | 1; }

/* Overwrites the unused stack below the caller, so that dead words do not keep objects. */
void stack_wipe(void);

/* A word of memory that was freed: read although AddressSanitizer is told that it is hidden. */
uintptr_t freed_word(uintptr_t address);

/* True when word is a value of poison=. */
bool is_poison(uintptr_t word);

/* A reproducible source of random numbers (splitmix64; Steele, Lea, Flood 2014). */
uint64_t test_random(uint64_t *state);
static inline size_t test_random_below(uint64_t *state, size_t bound) { return (size_t)(test_random(state) % bound); }

/* MIDDEN_TEST_LONG=1 asks for long runs. */
bool long_tests(void);

/* Like ck_assert_msg, for loops: Check writes a message for each of its assertions that holds. */
#define EXPECT(condition, ...) ((condition) ? (void)0 : ck_abort_msg(__VA_ARGS__))

/* That a leaf has the content that leaf_fill gave it. */
#define EXPECT_LEAF(object, size, seed) \
  EXPECT(leaf_is(object, size, seed), "the leaf of content %s (%llu) is not what it was", #seed, (unsigned long long)(seed))

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

#endif
