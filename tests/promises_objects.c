/* What include/midden/objects.h, finalize.h, weak.h, block.h and buffer.h promise to those who call them wrongly: with
 * NULL, another heap's object, what is no object, a detached mutator, twice, from inside a callback. Each is answered,
 * and nothing has happened. */
#include <string.h>

#include "harness.h"

static void finalize(midden_mutator *mutator, void *object, void *context) { (void)mutator, (void)object, (void)context; }
static void end_marking(midden_marking *marking, midden_phase phase, void *context) { (void)marking, (void)phase, (void)context; }

/* The figures that a refused call must not change. */
static void expect_nothing(world *here, size_t registered) {
  midden_statistics statistics = world_statistics(here);
  ck_assert_uint_eq(statistics.host_pins, 0);
  ck_assert_uint_eq(statistics.identities, 0);
  ck_assert_uint_eq(statistics.external_bytes, 0);
  ck_assert_uint_eq(statistics.finalizers_registered, registered);
  ck_assert_uint_eq(statistics.blocks + statistics.buffers, 0);
}

/* All that takes an object, with one that is none of this heap's. */
static void refuse_object(world *here, void *object) {
  midden_mutator *mutator = here->mutator;
  EXPECT(midden_pin(mutator, object) == MIDDEN_BAD_ARGUMENT, "pin");
  EXPECT(midden_pin_in_scope(mutator, object) == MIDDEN_BAD_ARGUMENT, "pin in scope");
  EXPECT(midden_unpin(mutator, object) == MIDDEN_BAD_ARGUMENT, "unpin");
  EXPECT(midden_pin_count(mutator, object) == 0, "pin count");
  midden_last_status(mutator);
  EXPECT(midden_identity_hash(mutator, object) == 0, "identity");
  EXPECT(midden_last_status(mutator) == MIDDEN_BAD_ARGUMENT, "identity's status");
  if (object) EXPECT(midden_external_add(mutator, object, 10) == MIDDEN_BAD_ARGUMENT, "external");
  EXPECT(midden_external_remove(mutator, object, 10) == MIDDEN_BAD_ARGUMENT, "external remove");
  EXPECT(midden_external_of(mutator, object) == 0, "external of");
  EXPECT(midden_finalizer_add(mutator, object, finalize, here) == MIDDEN_BAD_ARGUMENT, "finalizer");
  EXPECT(midden_finalizer_add_ordered(mutator, object, finalize, here) == MIDDEN_BAD_ARGUMENT, "ordered finalizer");
  EXPECT(midden_finalizer_remove(mutator, object, finalize, here) == MIDDEN_BAD_ARGUMENT, "finalizer remove");
  EXPECT(midden_buffer_release(mutator, object) == MIDDEN_BAD_ARGUMENT, "buffer");
  EXPECT(midden_block_size(mutator, object) == 0, "block size");
  if (!object) return;
  EXPECT(midden_block_free(mutator, object) == MIDDEN_BAD_ARGUMENT, "block");
  EXPECT(midden_block_realloc(mutator, object, 10) == NULL, "block realloc");
  EXPECT(midden_last_status(mutator) == MIDDEN_BAD_ARGUMENT, "block realloc's status");
}

START_TEST(no_object_of_this_heap) {
  world here, other;
  world_open(&here, _i, NULL);
  world_open(&other, _i, NULL);
  other.slots[0] = (uintptr_t)world_pair(&other);
  here.slots[0] = (uintptr_t)world_vector(&here, 10);
  refuse_object(&here, NULL);
  refuse_object(&here, &here);
  refuse_object(&here, (void *)other.slots[0]);
  refuse_object(&here, (void *)(here.slots[0] + 8));
  refuse_object(&here, (void *)(here.slots[0] + 1));
  void *block = midden_block_alloc(other.mutator, 100);
  refuse_object(&here, block);
  midden_block_free(other.mutator, block);
  expect_nothing(&here, 0);
  expect_nothing(&other, 0);
  world_close(&other);
  world_close(&here);
}
END_TEST

/* Other than a mutator that was never attached, which cannot be told from anything. */
static void refuse_mutator(world *here, midden_mutator *gone, midden_pool *pool) {
  static midden_word slot;
  bool more = true;
  midden_buffer *buffer = NULL;
  midden_lease lease = {NULL, 0, 0};
  void *object = (void *)here->slots[0];
  midden_pool_options options = {.total_bytes = 4096};
  EXPECT(midden_pin(gone, object) == MIDDEN_MISUSE && midden_unpin(gone, object) == MIDDEN_MISUSE, "pin");
  EXPECT(midden_pin_in_scope(gone, object) == MIDDEN_MISUSE && midden_pin_count(gone, object) == 0, "pin in scope");
  EXPECT(midden_identity_hash(gone, object) == 0, "identity");
  EXPECT(midden_external_add(gone, object, 1) == MIDDEN_MISUSE, "external");
  EXPECT(midden_external_remove(gone, object, 1) == MIDDEN_MISUSE, "external remove");
  EXPECT(midden_external_room(gone, 1) == MIDDEN_MISUSE && midden_external_of(gone, object) == 0, "room");
  EXPECT(midden_finalizer_add(gone, object, finalize, here) == MIDDEN_MISUSE, "finalizer");
  EXPECT(midden_finalizer_add_ordered(gone, object, finalize, here) == MIDDEN_MISUSE, "ordered finalizer");
  EXPECT(midden_finalizer_remove(gone, object, finalize, here) == MIDDEN_MISUSE, "finalizer remove");
  EXPECT(midden_finalizers_run(gone, 1) == 0, "finalizers run");
  EXPECT(midden_block_alloc(gone, 10) == NULL && midden_block_realloc(gone, NULL, 10) == NULL, "block");
  EXPECT(midden_block_free(gone, &slot) == MIDDEN_MISUSE && midden_block_size(gone, &slot) == 0, "block free");
  EXPECT(midden_buffer_new(gone, 10) == NULL, "buffer");
  EXPECT(midden_buffer_release(gone, object) == MIDDEN_MISUSE, "buffer release");
  EXPECT(midden_buffer_acquire(gone, pool, 1, 0, NULL, &buffer) == MIDDEN_MISUSE && !buffer, "buffer acquire");
  EXPECT(midden_buffer_adopt(gone, pool, &lease) == NULL, "buffer adopt");
  EXPECT(midden_pool_open(gone, &options, &pool, NULL) == MIDDEN_MISUSE, "pool");
  EXPECT(midden_pool_grow(gone, pool, 1) == MIDDEN_MISUSE && midden_pool_close(gone, pool) == MIDDEN_MISUSE, "pool grow");
  EXPECT(midden_pool_report(gone, pool) == 0, "pool report");
  EXPECT(midden_collect(gone, MIDDEN_MINOR) == MIDDEN_MISUSE, "collect");
  EXPECT(midden_defragment(gone, SIZE_MAX, &more) == MIDDEN_MISUSE && more, "defragment");
}

START_TEST(a_mutator_that_is_gone) {
  world here;
  world_open(&here, _i, NULL);
  midden_pool *pool = NULL;
  midden_pool_options options = {.total_bytes = 4096};
  ck_assert_int_eq(midden_pool_open(here.mutator, &options, &pool, NULL), MIDDEN_OK);
  here.slots[0] = (uintptr_t)world_pair(&here);
  ck_assert_int_eq(midden_pin_in_scope(here.mutator, (void *)here.slots[0]), MIDDEN_OK);
  ck_assert_int_eq(midden_finalizer_add(here.mutator, (void *)here.slots[0], finalize, &here), MIDDEN_OK);
  midden_mutator *gone = here.mutator;
  ck_assert_int_eq(midden_detach(gone), MIDDEN_OK);
  refuse_mutator(&here, gone, pool);
  refuse_mutator(&here, NULL, pool);
  ck_assert_uint_eq(world_statistics(&here).host_pins, 0); /* until midden_detach */
  ck_assert_uint_eq(world_statistics(&here).finalizers_registered, 1);
  here.mutator = midden_attach(here.heap, NULL, NULL);
  ck_assert_ptr_nonnull(here.mutator);
  ck_assert_int_eq(midden_pool_close(here.mutator, pool), MIDDEN_OK);
  expect_nothing(&here, 1);
  world_close(&here);
}
END_TEST

START_TEST(no_heap) {
  static midden_word slot;
  midden_usage usage = {1, 1, 1, 1};
  midden_error error = {MIDDEN_OK, ""};
  EXPECT(midden_weak_add(NULL, &slot, MIDDEN_WEAK_SHORT) == MIDDEN_MISUSE, "weak");
  EXPECT(midden_weak_remove(NULL, &slot) == MIDDEN_MISUSE, "weak remove");
  EXPECT(midden_phase_add(NULL, end_marking, NULL, false) == MIDDEN_MISUSE, "phase");
  EXPECT(midden_phase_remove(NULL, end_marking, NULL) == MIDDEN_MISUSE, "phase remove");
  EXPECT(midden_finalizers_waiting(NULL) == 0, "waiting");
  EXPECT(midden_heap_use(NULL, "copying", &error) == MIDDEN_MISUSE && error.status == MIDDEN_MISUSE, "use");
  EXPECT(midden_usage_of_kind(NULL, 1, &usage) == MIDDEN_MISUSE && usage.objects == 1, "usage");
  EXPECT(midden_usage_of_class(NULL, 1, 8, &usage) == MIDDEN_MISUSE && usage.objects == 1, "class");
  EXPECT(midden_trim(NULL) == 0 && midden_resident_bytes(NULL) == 0, "trim");
  EXPECT(midden_heap_close(NULL) == MIDDEN_OK, "close");
}
END_TEST

/* A pin of one sort is not the other's to take away. (It was: midden_unpin took a scope's pin, and the scope's end
 * then another's.) */
START_TEST(pins_of_both_sorts) {
  world here;
  world_open(&here, _i, NULL);
  here.slots[0] = (uintptr_t)world_pair(&here);
  void *object = (void *)here.slots[0];
  midden_scope scope = midden_scope_open(here.mutator);
  ck_assert_int_eq(midden_pin_in_scope(here.mutator, object), MIDDEN_OK);
  ck_assert_int_eq(midden_unpin(here.mutator, object), MIDDEN_BAD_ARGUMENT);
  ck_assert_uint_eq(midden_pin_count(here.mutator, object), 1);
  ck_assert_int_eq(midden_pin(here.mutator, object), MIDDEN_OK);
  ck_assert_uint_eq(midden_pin_count(here.mutator, object), 2);
  ck_assert_uint_eq(world_statistics(&here).host_pins, 1);
  midden_scope_close(here.mutator, scope);
  ck_assert_uint_eq(midden_pin_count(here.mutator, object), 1);
  world_collect(&here);
  ck_assert_uint_eq(here.slots[0], (uintptr_t)object);
  ck_assert_int_eq(midden_unpin(here.mutator, object), MIDDEN_OK);
  ck_assert_int_eq(midden_unpin(here.mutator, object), MIDDEN_BAD_ARGUMENT);
  world_close(&here);
}
END_TEST

/* ---- from inside a callback that is no collection ---- */

static size_t walked;

/* midden_each: what may be done, and what may not. */
static bool misbehave(void *context, void *object, size_t size, uint16_t kind_id) {
  world *here = context;
  midden_pool *pool = NULL;
  midden_pool_options options = {.total_bytes = 4096};
  (void)size, (void)kind_id;
  walked++;
  EXPECT(midden_alloc(here->mutator, here->pair) == NULL, "allocate");
  EXPECT(midden_alloc_sized(here->mutator, here->leaf, 50000) == NULL, "allocate large");
  EXPECT(midden_last_status(here->mutator) == MIDDEN_MISUSE, "why");
  EXPECT(midden_buffer_new(here->mutator, 10) == NULL, "buffer");
  EXPECT(midden_pool_open(here->mutator, &options, &pool, NULL) == MIDDEN_MISUSE, "pool");
  EXPECT(midden_external_room(here->mutator, 10) == MIDDEN_MISUSE, "room");
  EXPECT(midden_collect(here->mutator, MIDDEN_FULL) == MIDDEN_MISUSE, "collect");
  EXPECT(midden_defragment(here->mutator, 0, NULL) == MIDDEN_MISUSE, "defragment");
  EXPECT(midden_each(here->heap, misbehave, here) == MIDDEN_MISUSE, "walk");
  EXPECT(midden_detach(here->mutator) == MIDDEN_MISUSE && midden_heap_close(here->heap) == MIDDEN_MISUSE, "end");
  EXPECT(midden_finalizers_run(here->mutator, 1) == 0, "run finalizers");
  EXPECT(midden_pin(here->mutator, object) == MIDDEN_OK && midden_unpin(here->mutator, object) == MIDDEN_OK, "pin");
  EXPECT(midden_identity_hash(here->mutator, object) != 0, "identity");
  return true;
}

START_TEST(from_a_walk) {
  world here;
  world_open(&here, _i, NULL);
  world_list(&here, 0, 20);
  pair *dead = world_pair(&here);
  ck_assert_int_eq(midden_finalizer_add(here.mutator, dead, finalize, NULL), MIDDEN_OK);
  dead = NULL;
  stack_wipe();
  world_collect(&here);
  size_t waiting = midden_finalizers_waiting(here.heap);
  walked = 0;
  ck_assert_int_eq(midden_each(here.heap, misbehave, &here), MIDDEN_OK);
  ck_assert_uint_ge(walked, 20);
  ck_assert_uint_eq(midden_finalizers_waiting(here.heap), waiting);
  ck_assert_uint_eq(midden_finalizers_run(here.mutator, 9), waiting);
  ck_assert_int_eq(midden_each(here.heap, NULL, &here), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_each(NULL, misbehave, &here), MIDDEN_MISUSE);
  world_list_check(&here, 0, 20);
  world_close(&here);
}
END_TEST

/* What the end of marking must not do, and what it is answered. */
static void misbehave_while_marking(midden_marking *marking, midden_phase phase, void *context) {
  world *here = context;
  static midden_word slot;
  void *object = (void *)here->slots[0];
  midden_buffer *buffer = NULL;
  (void)marking, (void)phase;
  walked++;
  EXPECT(midden_alloc(here->mutator, here->pair) == NULL, "allocate");
  EXPECT(midden_block_alloc(here->mutator, 10) == NULL && midden_buffer_new(here->mutator, 10) == NULL, "block");
  EXPECT(midden_pin(here->mutator, object) == MIDDEN_MISUSE, "pin");
  EXPECT(midden_pin_in_scope(here->mutator, object) == MIDDEN_MISUSE, "pin in scope");
  EXPECT(midden_identity_hash(here->mutator, object) == 0, "identity");
  EXPECT(midden_external_add(here->mutator, object, 1) == MIDDEN_MISUSE, "external");
  EXPECT(midden_finalizer_add(here->mutator, object, finalize, here) == MIDDEN_MISUSE, "finalizer");
  EXPECT(midden_finalizers_run(here->mutator, 1) == 0, "finalizers run");
  EXPECT(midden_weak_add(here->heap, &slot, MIDDEN_WEAK_LONG) == MIDDEN_MISUSE, "weak");
  EXPECT(midden_weak_remove(here->heap, &slot) == MIDDEN_MISUSE, "weak remove");
  EXPECT(midden_phase_add(here->heap, end_marking, NULL, true) == MIDDEN_MISUSE, "phase");
  EXPECT(midden_phase_remove(here->heap, misbehave_while_marking, here) == MIDDEN_MISUSE, "phase remove");
  EXPECT(midden_heap_use(here->heap, "mark-sweep", NULL) == MIDDEN_MISUSE, "use");
  EXPECT(midden_each(here->heap, misbehave, here) == MIDDEN_MISUSE, "walk");
  EXPECT(midden_defragment(here->mutator, 0, NULL) == MIDDEN_MISUSE, "defragment");
  EXPECT(midden_buffer_acquire(here->mutator, NULL, 1, 0, NULL, &buffer) == MIDDEN_MISUSE, "acquire");
  EXPECT(midden_buffer_release(here->mutator, object) == MIDDEN_MISUSE, "release");
  EXPECT(midden_trim(here->heap) == 0, "trim");
}

START_TEST(from_the_end_of_marking) {
  world here;
  world_open(&here, _i, NULL);
  world_list(&here, 0, 50);
  walked = 0;
  ck_assert_int_eq(midden_phase_add(here.heap, NULL, &here, false), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_phase_add(here.heap, misbehave_while_marking, &here, false), MIDDEN_OK);
  world_collect(&here);
  if (here.combination->collects) ck_assert_uint_ge(walked, 2);
  ck_assert_int_eq(midden_phase_remove(here.heap, misbehave_while_marking, &here), MIDDEN_OK);
  ck_assert_int_eq(midden_phase_remove(here.heap, misbehave_while_marking, &here), MIDDEN_BAD_ARGUMENT);
  world_list_check(&here, 0, 50);
  expect_nothing(&here, 0);
  world_close(&here);
}
END_TEST

/* ---- 0 and SIZE_MAX ---- */

START_TEST(extreme_sizes) {
  world here;
  world_open(&here, _i, "heap-limit=8M");
  midden_mutator *mutator = here.mutator;
  here.slots[0] = (uintptr_t)world_pair(&here);
  void *object = (void *)here.slots[0];
  ck_assert_int_eq(midden_external_add(mutator, object, SIZE_MAX), MIDDEN_NO_MEMORY);
  ck_assert_int_eq(midden_external_add(mutator, NULL, SIZE_MAX - 4095), MIDDEN_NO_MEMORY);
  ck_assert_int_eq(midden_external_room(mutator, SIZE_MAX), MIDDEN_NO_MEMORY);
  ck_assert_int_eq(midden_external_room(mutator, 0), MIDDEN_OK);
  ck_assert_int_eq(midden_external_remove(mutator, object, SIZE_MAX), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_external_remove(mutator, NULL, SIZE_MAX), MIDDEN_BAD_ARGUMENT);
  ck_assert_ptr_null(midden_block_alloc(mutator, SIZE_MAX));
  ck_assert_int_eq(midden_last_status(mutator), MIDDEN_NO_MEMORY);
  ck_assert_ptr_null(midden_block_alloc(mutator, SIZE_MAX - 8191));
  unsigned char *block = midden_block_alloc(mutator, 0);
  ck_assert_ptr_nonnull(block);
  *block = 77;
  ck_assert_ptr_null(midden_block_realloc(mutator, block, SIZE_MAX));
  ck_assert_uint_eq(*block, 77);
  block = midden_block_realloc(mutator, block, 0);
  ck_assert_ptr_nonnull(block);
  ck_assert_uint_ge(midden_block_size(mutator, block), 1);
  ck_assert_int_eq(midden_block_free(mutator, block), MIDDEN_OK);
  ck_assert_ptr_null(midden_buffer_new(mutator, SIZE_MAX));
  ck_assert_int_eq(midden_last_status(mutator), MIDDEN_NO_MEMORY);
  ck_assert_uint_eq(midden_good_size(SIZE_MAX), 0);
  ck_assert_uint_ge(midden_good_size(0), 1);
  midden_usage usage = {9, 9, 9, 9};
  ck_assert_int_eq(midden_usage_of_class(here.heap, here.leaf.id, SIZE_MAX, &usage), MIDDEN_OK);
  ck_assert_uint_eq(usage.objects, 0); /* no large leaf */
  usage.objects = 9;
  ck_assert_int_eq(midden_usage_of_kind(here.heap, 0, &usage), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_usage_of_kind(here.heap, UINT16_MAX, &usage), MIDDEN_BAD_ARGUMENT);
  ck_assert_uint_eq(usage.objects, 9);
  ck_assert_uint_eq(midden_finalizers_run(mutator, 0), 0);
  midden_pool *pool = NULL;
  midden_pool_options options = {.total_bytes = 8192, .initial_bytes = 4096};
  midden_lease lease = {&here, 1, 1};
  midden_buffer *buffer = NULL;
  ck_assert_int_eq(midden_pool_open(mutator, &options, &pool, NULL), MIDDEN_OK);
  ck_assert_int_eq(midden_pool_acquire(pool, SIZE_MAX, MIDDEN_FOREVER, NULL, &lease), MIDDEN_LIMIT);
  ck_assert_ptr_eq(lease.address, &here);
  ck_assert_int_eq(midden_buffer_acquire(mutator, pool, SIZE_MAX, MIDDEN_FOREVER, NULL, &buffer), MIDDEN_LIMIT);
  ck_assert_int_eq(midden_pool_grow(mutator, pool, SIZE_MAX), MIDDEN_LIMIT);
  ck_assert_int_eq(midden_pool_grow(mutator, pool, 0), MIDDEN_OK);
  ck_assert_int_eq(midden_pool_acquire(pool, 0, MIDDEN_AT_ONCE, NULL, &lease), MIDDEN_OK);
  ck_assert_uint_eq(lease.size, 1);
  ck_assert_int_eq(midden_pool_release(pool, &lease), MIDDEN_OK);
  ck_assert_int_eq(midden_pool_release(pool, &lease), MIDDEN_OK); /* it is empty */
  ck_assert_int_eq(midden_pool_close(mutator, pool), MIDDEN_OK);
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {no_object_of_this_heap, ANYWHERE},
      {a_mutator_that_is_gone, ANYWHERE},
      {no_heap, CALM},
      {pins_of_both_sorts, ANYWHERE},
      {from_a_walk, ANYWHERE},
      {from_the_end_of_marking, ANYWHERE},
      {extreme_sizes, ANYWHERE},
  };
  return run_combinations("promises, objects", tests, COUNT_OF(tests));
}
