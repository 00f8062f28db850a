/* The out-of-memory sweep, continued: buffers, pools, kinds with finalizers, phases, minor collections and switching.
 * As in memory_sweep: the n-th request for memory fails, for every n, once or from then on; what fails says so and has
 * changed nothing, and the same call succeeds when there is memory again. */
#include <string.h>

#include "counting_memory.h"
#include "harness.h"

enum { BUFFERS = 60, OBJECTS = 120, LEASE = 3000, OLD = 400 };

typedef struct life {
  const combination *where;
  counting_memory memory;
  midden_heap *heap;
  midden_mutator *mutator;
  midden_kind finalized, vector, pair;
  midden_word buffers[BUFFERS]; /* roots; each filled by its number */
  midden_word objects[OBJECTS];
  midden_word old[2];           /* a vector of OLD young pairs */
  midden_word marked;           /* by the phase function */
  midden_pool *pool;
  midden_lease lease;
  size_t made, finalized_count;
} life;

static size_t size_of(size_t i) { return i % 20 == 9 ? 50000 : 100 + 37 * i; }

/* Whether a call has to be made again: it failed, because of memory; from here on there is memory. */
static bool again(life *here, midden_status status, const char *what) {
  if (status == MIDDEN_OK) return false;
  EXPECT(status == MIDDEN_NO_MEMORY, "%s: %s", what, midden_status_name(status));
  EXPECT(here->memory.failed, "%s failed although no memory was refused", what);
  counting_memory_heal(&here->memory);
  midden_error error = {MIDDEN_OK, ""};
  EXPECT(midden_verify(here->heap, &error) == MIDDEN_OK, "after %s: %s", what, error.message);
  return true;
}

#define STATUS(here, call) \
  do { \
    if (again(here, (call), #call)) EXPECT((call) == MIDDEN_OK, #call " failed again"); \
  } while (0)

static void *allocate(life *here, midden_kind kind, size_t size) {
  void *object = midden_alloc_sized(here->mutator, kind, size);
  if (object) return object;
  again(here, midden_last_status(here->mutator), "an allocation");
  object = midden_alloc_sized(here->mutator, kind, size);
  EXPECT(object != NULL, "an allocation failed again");
  return object;
}

static midden_kind define(life *here, const midden_shape *shape) {
  midden_error error = {MIDDEN_OK, ""};
  midden_kind kind = midden_kind_define(here->heap, shape, &error);
  if (kind.id == 0 && again(here, error.status, "a kind")) kind = midden_kind_define(here->heap, shape, &error);
  EXPECT(kind.id != 0, "%s", error.message);
  return kind;
}

static void finalize(midden_mutator *mutator, void *object, void *context) {
  life *here = context;
  EXPECT(mutator == here->mutator && *(midden_word *)object == immediate(7), "a finalizer got no object");
  here->finalized_count++;
}

static void end_marking(midden_marking *marking, midden_phase phase, void *context) {
  life *here = context;
  if (phase != MIDDEN_MARKING_ENDS) return;
  EXPECT(midden_marking_pin(marking, here->marked) == MIDDEN_OK, "pin");
  EXPECT(midden_marking_mark(marking, &here->marked) == MIDDEN_OK, "mark");
}

static void open_heap(life *here) {
  midden_config config = combination_config((int)(here->where - combination_at(0)));
  midden_error error = {MIDDEN_OK, ""};
  config.memory = &here->memory.face;
  config.heap_limit = (size_t)16 << 20;
  config.heap_initial = (size_t)64 << 10;
  config.verify = MIDDEN_VERIFY_OFF;
  EXPECT(midden_heap_open(&config, &here->heap, &error) == MIDDEN_OK, "%s", error.message);
  here->mutator = midden_attach(here->heap, NULL, &error);
  EXPECT(here->mutator != NULL, "%s", error.message);
}

static void check_intact(const life *here) {
  for (size_t i = 0; i < BUFFERS; i++) {
    const midden_buffer *buffer = (const midden_buffer *)here->buffers[i];
    if (!buffer || !midden_buffer_address(buffer)) continue;
    EXPECT(leaf_is(midden_buffer_address(buffer), midden_buffer_size(buffer), i), "buffer %zu", i);
  }
  for (size_t i = 0; i < OBJECTS; i++)
    EXPECT(!here->objects[i] || *(midden_word *)here->objects[i] == immediate(7), "object %zu", i);
  const midden_word *old = (const midden_word *)here->old[0];
  for (size_t i = 0; old && i < OLD; i++) EXPECT(!old[i] || *(midden_word *)old[i] == immediate(i), "old word %zu", i);
  if (here->marked) EXPECT(*(midden_word *)here->marked == immediate(11), "what the host marks");
}

static void collect(life *here, midden_collection how) {
  midden_status status = midden_collect(here->mutator, how);
  EXPECT(status == (here->where->collects ? MIDDEN_OK : MIDDEN_UNSUPPORTED), "collecting: %s", midden_status_name(status));
  check_intact(here);
}

static void use_buffers(life *here) {
  for (size_t i = 0; i < BUFFERS; i++) {
    midden_buffer *buffer = midden_buffer_new(here->mutator, size_of(i));
    if (!buffer && again(here, midden_last_status(here->mutator), "midden_buffer_new"))
      buffer = midden_buffer_new(here->mutator, size_of(i));
    EXPECT(buffer && midden_buffer_size(buffer) == size_of(i), "buffer %zu", i);
    leaf_fill(midden_buffer_address(buffer), size_of(i), i);
    here->buffers[i] = (uintptr_t)buffer;
    if (i % 4 == 1) STATUS(here, midden_buffer_release(here->mutator, (midden_buffer *)here->buffers[i]));
    if (i % 4 == 2) here->buffers[i] = 0;
  }
}

static void use_pool(life *here) {
  midden_error error = {MIDDEN_OK, ""};
  midden_pool_options options = {.total_bytes = 64 << 10, .initial_bytes = 16 << 10, .chunk_bytes = 128, .name = "sweep"};
  STATUS(here, midden_pool_open(here->mutator, &options, &here->pool, &error));
  STATUS(here, midden_pool_grow(here->mutator, here->pool, 8192));
  STATUS(here, midden_pool_acquire(here->pool, LEASE, MIDDEN_AT_ONCE, MIDDEN_HERE, &here->lease));
  leaf_fill(here->lease.address, LEASE, 0);
  midden_buffer *buffer = midden_buffer_adopt(here->mutator, here->pool, &here->lease);
  if (!buffer && again(here, midden_last_status(here->mutator), "midden_buffer_adopt")) {
    EXPECT(leaf_is(here->lease.address, LEASE, 0), "the lease was lost");
    buffer = midden_buffer_adopt(here->mutator, here->pool, &here->lease);
  }
  EXPECT(buffer != NULL, "midden_buffer_adopt failed again");
  here->buffers[0] = (uintptr_t)buffer;
  STATUS(here, midden_buffer_acquire(here->mutator, here->pool, LEASE, MIDDEN_AT_ONCE, MIDDEN_HERE, &buffer));
  leaf_fill(midden_buffer_address(buffer), LEASE, 1);
  here->buffers[1] = (uintptr_t)buffer;
}

/* Registering is part of such an object's allocation: both happen, or neither. */
static void use_finalized_kind(life *here) {
  for (size_t i = 0; i < OBJECTS; i++) {
    midden_word *object = allocate(here, here->finalized, i % 40 == 3 ? 40000 : 32);
    *object = immediate(7);
    here->objects[i] = i % 3 ? (uintptr_t)object : 0;
    here->made++;
    midden_statistics statistics;
    midden_statistics_read(here->heap, &statistics);
    EXPECT(statistics.finalizers_registered + statistics.finalizers_waiting == here->made, "object %zu is not registered", i);
  }
}

/* An old vector that gets young pairs: the write barrier notes it, with memory or without. */
static void use_generations(life *here) {
  here->old[0] = (uintptr_t)allocate(here, here->vector, OLD * sizeof(midden_word));
  collect(here, MIDDEN_FULL);
  for (size_t i = 0; i < OLD; i++) {
    midden_word *young = allocate(here, here->pair, sizeof(pair));
    *young = immediate(i);
    midden_word *old = (midden_word *)here->old[0];
    midden_store(here->mutator, old, &old[i], young);
    if (i % 97 == 5) collect(here, MIDDEN_MINOR);
  }
}

static void switch_collectors(life *here) {
  for (size_t i = 0; here->where->collects && midden_collector_name(i); i++) {
    if (!collector_collects(midden_collector_name(i))) continue;
    STATUS(here, midden_heap_use(here->heap, midden_collector_name(i), NULL));
    allocate(here, here->pair, sizeof(pair));
    collect(here, MIDDEN_FULL);
  }
}

/* post: whether a request failed. */
static bool live_through(int index, uint64_t n, bool forever) {
  static life here;
  memset(&here, 0, sizeof here);
  here.where = combination_at(index);
  counting_memory_open(&here.memory);
  open_heap(&here);
  counting_memory_fail(&here.memory, n, forever);
  STATUS(&here, midden_root_range_add(here.heap, here.buffers, BUFFERS));
  STATUS(&here, midden_root_range_add(here.heap, here.objects, OBJECTS));
  STATUS(&here, midden_root_range_add(here.heap, here.old, 2));
  STATUS(&here, midden_phase_add(here.heap, end_marking, &here, true));
  here.finalized = define(&here, &(midden_shape){.name = "finalized", .refs = MIDDEN_REFS_ALL, .finalizer = finalize,
                                                 .finalizer_context = &here});
  here.pair = define(&here, &(midden_shape){.name = "pair", .size = sizeof(pair), .refs = MIDDEN_REFS_ALL});
  here.vector = define(&here, &(midden_shape){.name = "vector", .refs = MIDDEN_REFS_ALL});
  midden_word *marked = allocate(&here, here.pair, sizeof(pair));
  *marked = immediate(11);
  here.marked = (uintptr_t)marked;
  use_buffers(&here);
  use_pool(&here);
  use_finalized_kind(&here);
  collect(&here, MIDDEN_FULL);
  use_generations(&here);
  switch_collectors(&here);
  midden_finalizers_run(here.mutator, SIZE_MAX);
  EXPECT(here.finalized_count <= here.made, "a finalizer ran twice");
  bool failed = here.memory.failed;
  counting_memory_heal(&here.memory);
  midden_error error = {MIDDEN_OK, ""};
  EXPECT(midden_verify(here.heap, &error) == MIDDEN_OK, "%s", error.message);
  for (size_t i = 0; i < 2; i++) midden_buffer_release(here.mutator, (midden_buffer *)here.buffers[i]);
  EXPECT(midden_pool_close(here.mutator, here.pool) == MIDDEN_OK, "the pool");
  EXPECT(midden_heap_close(here.heap) == MIDDEN_OK, "close");
  EXPECT(here.memory.reservations == 0 && here.memory.violations == 0, "memory is left, or was asked for wrongly");
  return failed;
}

static void sweep(int index, bool forever) {
  uint64_t n = 1;
  while (live_through(index, n, forever)) n++;
  ck_assert_uint_gt(n, 10); /* there was something to fail */
}

START_TEST(one_request_of_services_fails) { sweep(_i, false); }
END_TEST
START_TEST(all_requests_of_services_fail) { sweep(_i, true); }
END_TEST

int main(void) {
  const test_entry tests[] = {
      {one_request_of_services_fails, CALM},
      {all_requests_of_services_fail, CALM},
  };
  return run_combinations("memory sweep, services", tests, COUNT_OF(tests));
}
