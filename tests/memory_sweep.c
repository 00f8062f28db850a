/* The out-of-memory sweep: a host's whole life is run again and again, and the n-th request for memory
 * fails, for every n, once or from then on. Whatever fails says so and has changed nothing; the same call
 * succeeds when there is memory again; objects are as they were; and closing gives everything back. */
#include <string.h>

#include "counting_memory.h"
#include "harness.h"

enum { CHAIN = 250, FINALIZED = 6, WEAK = 40, LIST = 1500, LEAVES = 24, ROOTS = 300, HANDLES = 600, LARGE_BYTES = 70000 };

typedef struct life {
  counting_memory memory;
  midden_heap *heap;
  midden_mutator *mutator;
  midden_kind pair, leaf, pinning;
  midden_word list;             /* single root */
  midden_word leaves[LEAVES];   /* range */
  midden_word ambiguous[2];
  midden_word roots[ROOTS];     /* single roots, so that the registry grows */
  midden_word scanned;
  size_t length, leaf_count;    /* built so far */
  char stack[4096];
  midden_kind table;
  midden_word chain[2];         /* a table of ephemerons, each value the next key; and the first key */
  midden_word weak[WEAK];       /* weak slots, to the list */
  bool chained;
  size_t finalized;
} life;

static size_t leaf_size(size_t i) { return i % 6 == 5 ? LARGE_BYTES : 40 + i * 200; }

/* Everything built so far is as it should be. */
static void check_intact(const life *here) {
  const pair *cell = (const pair *)here->list;
  for (size_t i = here->length; i-- > 0; cell = (const pair *)cell->cdr)
    EXPECT(cell != NULL && cell->car == immediate(i), "cell %zu of the list", i);
  EXPECT(cell == NULL, "the list goes on");
  for (size_t i = 0; i < here->leaf_count; i++)
    EXPECT(leaf_is((const void *)here->leaves[i], leaf_size(i), i), "leaf %zu", i);
  const midden_word *pairs = (const midden_word *)here->chain[0];
  uintptr_t key = here->chain[1];
  for (size_t i = CHAIN; here->chained && i-- > 0; key = pairs[2 * i + 1]) {
    EXPECT(pairs[2 * i] == key && ((const pair *)key)->car == immediate(i), "ephemeron %zu", i);
  }
  for (size_t i = 0; i < WEAK; i++) EXPECT(here->weak[i] == 0 || here->weak[i] == here->list, "weak slot %zu", i);
  EXPECT(here->memory.violations == 0, "memory was asked for or released wrongly");
}

/* A call failed: only if memory did. From here on there is memory again. */
static void recover(life *here, const char *what) {
  EXPECT(here->memory.failed, "%s failed although no memory was refused", what);
  counting_memory_heal(&here->memory);
  check_intact(here);
  midden_error error = {MIDDEN_OK, ""};
  EXPECT(midden_verify(here->heap, &error) == MIDDEN_OK, "after %s: %s", what, error.message);
}

/* Runs a call that returns a status; if it fails, again. */
#define STATUS(here, call)                                                                 \
  do {                                                                                     \
    midden_status status_ = (call);                                                        \
    if (status_ != MIDDEN_OK) {                                                            \
      EXPECT(status_ == MIDDEN_NO_MEMORY, #call ": %s", midden_status_name(status_));      \
      recover(here, #call);                                                                \
      EXPECT((call) == MIDDEN_OK, #call " failed again");                                  \
    }                                                                                      \
  } while (0)

static void open_heap(life *here, int index) {
  midden_config config = combination_config(index);
  midden_error error = {MIDDEN_OK, ""};
  midden_heap *untouched = (midden_heap *)&error, *heap = untouched;
  config.memory = &here->memory.face;
  config.heap_limit = (size_t)16 << 20;
  config.heap_initial = (size_t)64 << 10;
  config.verify = MIDDEN_VERIFY_OFF;
  if (config.generational) config.profile = 512; /* what cannot be noted of samples is lost, and nothing else */
  midden_status status = midden_heap_open(&config, &heap, &error);
  if (status != MIDDEN_OK) {
    ck_assert_int_eq(status, MIDDEN_NO_MEMORY);
    ck_assert_int_eq(error.status, MIDDEN_NO_MEMORY);
    ck_assert_uint_gt(strlen(error.message), 10);
    ck_assert_ptr_eq(heap, untouched);
    ck_assert(here->memory.failed);
    ck_assert_uint_eq(here->memory.reservations, 0);
    counting_memory_heal(&here->memory);
    ck_assert_int_eq(midden_heap_open(&config, &heap, &error), MIDDEN_OK);
  }
  here->heap = heap;
}

static void attach(life *here) {
  midden_error error = {MIDDEN_OK, ""};
  here->mutator = midden_attach(here->heap, NULL, &error);
  if (here->mutator != NULL) return;
  ck_assert_int_eq(error.status, MIDDEN_NO_MEMORY);
  ck_assert_uint_gt(strlen(error.message), 10);
  recover(here, "midden_attach");
  here->mutator = midden_attach(here->heap, NULL, &error);
  ck_assert_ptr_nonnull(here->mutator);
}

static midden_kind define(life *here, const midden_shape *shape) {
  midden_error error = {MIDDEN_OK, ""};
  midden_kind kind = midden_kind_define(here->heap, shape, &error);
  if (kind.id != 0) return kind;
  ck_assert_int_eq(error.status, MIDDEN_NO_MEMORY);
  ck_assert_uint_gt(strlen(error.message), 10);
  recover(here, "midden_kind_define");
  kind = midden_kind_define(here->heap, shape, &error);
  ck_assert_uint_ne(kind.id, 0);
  return kind;
}

static void *allocate(life *here, midden_kind kind, size_t size) {
  void *object = midden_alloc_sized(here->mutator, kind, size);
  if (object != NULL) return object;
  midden_status status = midden_last_status(here->mutator);
  EXPECT(status == MIDDEN_NO_MEMORY, "allocation: %s", midden_status_name(status));
  recover(here, "allocation");
  object = midden_alloc_sized(here->mutator, kind, size);
  EXPECT(object != NULL, "allocation failed again");
  return object;
}

static void scan(midden_visitor *visitor, void *context) { midden_visit(visitor, context); }

/* Pins its second word: a copying heap marks first. */
static void trace(void *object, size_t size, midden_visitor *visitor, void *context) {
  midden_word *words = object;
  (void)size, (void)context;
  midden_visit(visitor, &words[0]);
  midden_visit_pinned(visitor, (const void *)words[1]);
}

static void define_kinds(life *here) {
  here->pair = define(here, &(midden_shape){.name = "pair", .size = sizeof(pair), .refs = MIDDEN_REFS_ALL});
  here->leaf = define(here, &(midden_shape){.name = "leaf"});
  here->pinning = define(here, &(midden_shape){.name = "a name that takes more than a few bytes", .size = 16,
                                               .refs = MIDDEN_REFS_TRACE, .trace = trace, .flags = MIDDEN_KIND_TRACE_PINS});
  for (int i = 0; i < 12; i++) define(here, &(midden_shape){.name = "another"});
}

static void add_roots(life *here) {
  STATUS(here, midden_root_add(here->heap, &here->list));
  STATUS(here, midden_root_range_add(here->heap, here->leaves, LEAVES));
  STATUS(here, midden_root_ambiguous_add(here->heap, here->ambiguous, 2));
  STATUS(here, midden_root_scanner_add(here->heap, scan, &here->scanned));
  for (size_t i = 0; i < ROOTS; i++) STATUS(here, midden_root_add(here->heap, &here->roots[i]));
}

static void build(life *here) {
  for (size_t i = 0; i < LIST; i++) {
    pair *cell = allocate(here, here->pair, sizeof(pair));
    midden_store_word(here->mutator, cell, &cell->car, immediate(i));
    midden_store_word(here->mutator, cell, &cell->cdr, here->list);
    here->list = (uintptr_t)cell;
    here->length++;
    if (i % 64 != 0 || here->leaf_count == LEAVES) continue;
    size_t number = here->leaf_count;
    void *leaf = allocate(here, here->leaf, leaf_size(number));
    leaf_fill(leaf, leaf_size(number), number);
    here->leaves[number] = (uintptr_t)leaf;
    here->leaf_count++;
  }
  midden_word *pinning = allocate(here, here->pinning, 16);
  midden_store_word(here->mutator, pinning, &pinning[0], here->list);
  midden_store_word(here->mutator, pinning, &pinning[1], here->leaves[1]);
  here->scanned = (uintptr_t)pinning;
  here->ambiguous[0] = here->leaves[0] + 8;
}

static void finalize(midden_mutator *mutator, void *object, void *context) {
  life *here = context;
  (void)mutator;
  EXPECT(midden_object_at(here->heap, object) == object, "a finalizer got no object");
  here->finalized++;
}

static void phase(midden_marking *marking, midden_phase which, void *context) {
  life *here = context;
  if (which == MIDDEN_MARKING_ENDS) midden_marking_mark(marking, &here->roots[0]);
}

/* Weak slots, a chain of ephemerons, dead objects with finalizers in order, and a function at the end of marking. */
static void add_liveness(life *here) {
  here->roots[0] = here->list;
  for (size_t i = 0; i < WEAK; i++) {
    here->weak[i] = here->list;
    midden_weak strength = i % 2 ? MIDDEN_WEAK_SHORT : MIDDEN_WEAK_LONG;
    STATUS(here, midden_weak_add(here->heap, &here->weak[i], strength));
  }
  STATUS(here, midden_phase_add(here->heap, phase, here, false));
  STATUS(here, midden_root_range_add(here->heap, here->chain, 2));
  here->table = define(here, &(midden_shape){.name = "table", .refs = MIDDEN_REFS_PAIRS});
  here->chain[0] = (uintptr_t)allocate(here, here->table, 2 * CHAIN * sizeof(midden_word));
  for (size_t i = 0; i < CHAIN; i++) {
    pair *key = allocate(here, here->pair, sizeof(pair));
    key->car = immediate(i);
    midden_word *pairs = (midden_word *)here->chain[0];
    midden_store(here->mutator, pairs, &pairs[2 * i], key);
    midden_store_word(here->mutator, pairs, &pairs[2 * i + 1], here->chain[1]);
    here->chain[1] = (uintptr_t)key;
  }
  here->chained = true;
  for (size_t i = 0; i < FINALIZED; i++) {
    pair *dead = allocate(here, here->pair, sizeof(pair));
    midden_store_word(here->mutator, dead, &dead->cdr, here->roots[1]);
    here->roots[1] = (uintptr_t)dead;
    STATUS(here, midden_finalizer_add_ordered(here->mutator, (void *)here->roots[1], finalize, here));
  }
  here->roots[1] = 0;
}

static void run_finalizers(life *here) { midden_finalizers_run(here->mutator, SIZE_MAX); }

static void use_handles(life *here) {
  midden_scope scope = midden_scope_open(here->mutator);
  for (size_t i = 0; i < HANDLES; i++) {
    midden_handle handle = midden_handle_new(here->mutator, (void *)here->list);
    if (handle == NULL) {
      recover(here, "midden_handle_new");
      handle = midden_handle_new(here->mutator, (void *)here->list);
      EXPECT(handle != NULL, "midden_handle_new failed again");
    }
    EXPECT(*handle == here->list, "handle %zu", i);
  }
  midden_scope_close(here->mutator, scope);
}

static void use_pins(life *here) {
  const pair *cell = (const pair *)here->list;
  midden_scope scope = midden_scope_open(here->mutator);
  for (size_t i = 0; i < HANDLES; i++, cell = (const pair *)cell->cdr) {
    STATUS(here, midden_pin(here->mutator, cell));
    STATUS(here, midden_pin_in_scope(here->mutator, cell));
    EXPECT(midden_pin_count(here->mutator, cell) == 2, "pin %zu", i);
  }
  midden_scope_close(here->mutator, scope);
  cell = (const pair *)here->list;
  for (size_t i = 0; i < HANDLES; i++, cell = (const pair *)cell->cdr)
    EXPECT(midden_unpin(here->mutator, cell) == MIDDEN_OK && midden_pin_count(here->mutator, cell) == 0, "pin %zu", i);
}

static void use_side_tables(life *here) {
  const pair *cell = (const pair *)here->list;
  for (size_t i = 0; i < HANDLES; i++, cell = (const pair *)cell->cdr) {
    STATUS(here, midden_external_add(here->mutator, cell, 10));
    uint64_t identity = midden_identity_hash(here->mutator, cell);
    if (identity == 0) {
      EXPECT(midden_last_status(here->mutator) == MIDDEN_NO_MEMORY, "midden_identity_hash");
      recover(here, "midden_identity_hash");
      identity = midden_identity_hash(here->mutator, cell);
    }
    EXPECT(identity != 0 && identity == midden_identity_hash(here->mutator, cell), "identity %zu", i);
    EXPECT(midden_external_of(here->mutator, cell) == 10, "external %zu", i);
  }
  STATUS(here, midden_external_room(here->mutator, 1000));
}

static void use_blocks(life *here) {
  enum { BLOCKS = 300 };
  static unsigned char *blocks[BLOCKS];
  for (size_t i = 0; i < BLOCKS; i++) {
    size_t size = i % 50 == 3 ? 60000 + i : 16 + i * 20;
    blocks[i] = midden_block_alloc(here->mutator, size / 2);
    if (blocks[i] == NULL) {
      EXPECT(midden_last_status(here->mutator) == MIDDEN_NO_MEMORY, "midden_block_alloc");
      recover(here, "midden_block_alloc");
      blocks[i] = midden_block_alloc(here->mutator, size / 2);
    }
    EXPECT(blocks[i] != NULL, "block %zu", i);
    memset(blocks[i], (int)i, size / 2);
    unsigned char *larger = midden_block_realloc(here->mutator, blocks[i], size);
    if (larger == NULL) {
      recover(here, "midden_block_realloc");
      EXPECT(blocks[i][0] == (unsigned char)i && blocks[i][size / 2 - 1] == (unsigned char)i, "block %zu was lost", i);
      larger = midden_block_realloc(here->mutator, blocks[i], size);
    }
    EXPECT(larger != NULL && larger[0] == (unsigned char)i && larger[size / 2 - 1] == (unsigned char)i, "block %zu", i);
    blocks[i] = larger;
  }
  for (size_t i = 0; i < BLOCKS; i++) EXPECT(midden_block_free(here->mutator, blocks[i]) == MIDDEN_OK, "free %zu", i);
}

static void use_stack(life *here) {
  midden_stack *stack = midden_stack_add(here->mutator, here->stack, sizeof here->stack);
  if (stack == NULL) {
    recover(here, "midden_stack_add");
    stack = midden_stack_add(here->mutator, here->stack, sizeof here->stack);
    ck_assert_ptr_nonnull(stack);
  }
  ck_assert_int_eq(midden_stack_remove(here->mutator, stack), MIDDEN_OK);
}

/* A collection never fails for want of memory. */
static void collect(life *here, const combination *where) {
  ck_assert_int_eq(midden_collect(here->mutator, MIDDEN_FULL), where->collects ? MIDDEN_OK : MIDDEN_UNSUPPORTED);
  check_intact(here);
}

static void defragment(life *here, const combination *where) {
  bool more = true;
  for (size_t calls = 0; more && where->collects; calls++) {
    EXPECT(calls < 100, "it does not end");
    midden_status status = midden_defragment(here->mutator, 3000, &more);
    if (status == MIDDEN_OK) continue;
    EXPECT(status == MIDDEN_NO_MEMORY && more, "midden_defragment: %s", midden_status_name(status));
    recover(here, "midden_defragment");
  }
  check_intact(here);
}

static void churn(life *here) {
  for (size_t i = 0; i < 500; i++) memset(allocate(here, here->leaf, 16 + i % 700), 0xff, 16 + i % 700);
}

/* post: whether a request failed. */
static bool live_through(int index, uint64_t n, bool forever) {
  const combination *where = combination_at(index);
  static life here;
  memset(&here, 0, sizeof here);
  counting_memory_open(&here.memory);
  counting_memory_fail(&here.memory, n, forever);
  open_heap(&here, index);
  attach(&here);
  define_kinds(&here);
  add_roots(&here);
  build(&here);
  add_liveness(&here);
  collect(&here, where);
  run_finalizers(&here);
  use_handles(&here);
  use_pins(&here);
  use_blocks(&here);
  use_side_tables(&here);
  use_stack(&here);
  churn(&here);
  collect(&here, where);
  defragment(&here, where);
  midden_trim(here.heap);
  churn(&here);
  check_intact(&here);
  midden_error error = {MIDDEN_OK, ""};
  EXPECT(midden_verify(here.heap, &error) == MIDDEN_OK, "%s", error.message);
  bool failed = here.memory.failed;
  counting_memory_heal(&here.memory);
  for (size_t i = 0; i < FINALIZED && where->collects && here.finalized < FINALIZED; i++) {
    collect(&here, where);
    run_finalizers(&here);
  }
  EXPECT(here.finalized <= FINALIZED, "%zu finalizers ran", here.finalized);
  if (where->collects && where->stack == MIDDEN_STACK_PRECISE) EXPECT(here.finalized == FINALIZED, "%zu finalizers ran", here.finalized);
  EXPECT(midden_heap_close(here.heap) == MIDDEN_OK, "close");
  EXPECT(here.memory.reservations == 0 && here.memory.reserved_bytes == 0, "%zu reservations are left",
         here.memory.reservations);
  EXPECT(here.memory.violations == 0, "memory was asked for or released wrongly");
  return failed;
}

static void sweep(int index, bool forever) {
  uint64_t n = 1;
  while (live_through(index, n, forever)) n++;
  ck_assert_uint_gt(n, 10); /* there was something to fail */
}

START_TEST(one_request_fails) { sweep(_i, false); }
END_TEST
START_TEST(all_requests_fail_from_some_point) { sweep(_i, true); }
END_TEST

int main(void) {
  const test_entry tests[] = {
      {one_request_fails, CALM},
      {all_requests_fail_from_some_point, CALM},
  };
  return run_combinations("memory sweep", tests, COUNT_OF(tests));
}
