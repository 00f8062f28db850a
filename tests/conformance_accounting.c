/* Accounting: per kind and class, equal to a shadow after every operation; walking; memory that goes back to
 * the system. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

enum { SLOTS = 1500, SIZES = 8 };

static const size_t sizes[SIZES] = {8, 24, 100, 129, 1000, 5000, 32768, 50000};

/* What should be there: objects handed out since the last collection, and what it left. */
typedef struct shadow {
  size_t objects[SIZES], bytes[SIZES]; /* leaves, by size */
  size_t pairs;
  uint64_t allocations;
} shadow;

static midden_usage of_class(world *here, size_t size) {
  midden_usage usage;
  memset(&usage, 0xa5, sizeof usage);
  ck_assert_int_eq(midden_usage_of_class(here->heap, here->leaf.id, size, &usage), MIDDEN_OK);
  return usage;
}

static midden_usage of_kind(world *here, midden_kind kind) {
  midden_usage usage;
  memset(&usage, 0xa5, sizeof usage);
  ck_assert_int_eq(midden_usage_of_kind(here->heap, kind.id, &usage), MIDDEN_OK);
  return usage;
}

static void check(world *here, const shadow *expected, size_t step) {
  size_t objects = 0, bytes = 0;
  for (size_t i = 0; i < SIZES; i++) {
    midden_usage usage = of_class(here, sizes[i]);
    EXPECT(usage.objects == expected->objects[i] && usage.bytes == expected->bytes[i],
           "step %zu: size %zu: %zu objects, %zu bytes; expected %zu, %zu", step, sizes[i], usage.objects, usage.bytes,
           expected->objects[i], expected->bytes[i]);
    EXPECT(usage.span_bytes >= usage.bytes, "step %zu: size %zu: spans", step, sizes[i]);
    objects += usage.objects;
    bytes += usage.bytes;
  }
  midden_usage leaves = of_kind(here, here->leaf), pairs = of_kind(here, here->pair), none = of_kind(here, here->vector);
  EXPECT(leaves.objects == objects && leaves.bytes == bytes, "step %zu: the kind is not the sum of its classes", step);
  EXPECT(pairs.objects == expected->pairs && pairs.bytes == expected->pairs * sizeof(pair), "step %zu: pairs", step);
  EXPECT(none.objects == 0 && none.span_bytes == 0 && none.allocations == 0, "step %zu: vectors", step);
  midden_statistics all = world_statistics(here);
  EXPECT(all.used_bytes == leaves.bytes + pairs.bytes, "step %zu: used bytes", step);
  EXPECT(all.span_bytes == leaves.span_bytes + pairs.span_bytes, "step %zu: span bytes", step);
  EXPECT(leaves.allocations + pairs.allocations == expected->allocations, "step %zu: allocations", step);
  EXPECT(all.allocations == expected->allocations, "step %zu: all allocations", step);
  EXPECT(all.committed_bytes >= all.span_bytes && all.peak_committed_bytes >= all.committed_bytes, "step %zu: peak", step);
}

/* What a full collection leaves: what the slots hold. */
static void count_slots(world *here, const uint8_t *held, shadow *expected) {
  memset(expected->objects, 0, sizeof expected->objects);
  memset(expected->bytes, 0, sizeof expected->bytes);
  expected->pairs = 0;
  for (size_t i = 0; i < SLOTS; i++) {
    if (here->slots[i] == 0) continue;
    if (held[i] == SIZES) {
      expected->pairs++;
    } else {
      expected->objects[held[i]]++;
      expected->bytes[held[i]] += midden_size_of(here->heap, (void *)here->slots[i]);
    }
  }
}

START_TEST(equal_to_a_shadow) {
  world here;
  static uint8_t held[SLOTS];
  shadow expected = {.pairs = 0};
  uint64_t random = 11;
  world_open(&here, _i, "growth=fixed,heap-limit=512M,nursery=512M,verify=off,poison=no");
  for (size_t step = 0; step < 6000; step++) {
    size_t i = test_random_below(&random, SLOTS), choice = test_random_below(&random, 100);
    if (choice == 0) {
      stack_wipe();
      world_collect(&here);
      if (here.combination->collects) count_slots(&here, held, &expected);
    } else if (choice < 15) {
      here.slots[i] = 0;
    } else if (choice < 45) {
      here.slots[i] = (uintptr_t)world_pair(&here);
      held[i] = SIZES;
      expected.pairs++;
      expected.allocations++;
    } else {
      size_t size = test_random_below(&random, test_random_below(&random, 30) == 0 ? SIZES : 5);
      void *leaf = midden_alloc_sized(here.mutator, here.leaf, sizes[size]);
      ck_assert_ptr_nonnull(leaf);
      here.slots[i] = test_random_below(&random, 3) ? (uintptr_t)leaf : here.slots[i];
      if (here.slots[i] == (uintptr_t)leaf) held[i] = (uint8_t)size;
      expected.objects[size]++;
      expected.bytes[size] += midden_size_of(here.heap, leaf);
      expected.allocations++;
    }
    check(&here, &expected, step);
  }
  world_close(&here);
}
END_TEST

/* ---- walking ---- */

typedef struct seen {
  world *world;
  size_t pairs, leaves, bytes, stop_after;
  midden_status inside[4];
} seen;

static bool see(void *context, void *object, size_t size, uint16_t kind) {
  seen *all = context;
  if (kind == all->world->pair.id) {
    all->pairs++;
    ((pair *)object)->car += 8; /* each once */
  } else {
    all->leaves++;
  }
  EXPECT(size == midden_size_of(all->world->heap, object), "size");
  EXPECT(kind == midden_kind_of(all->world->heap, object), "kind");
  EXPECT(midden_object_at(all->world->heap, object) == object, "object");
  all->bytes += size;
  return all->stop_after == 0 || --all->stop_after > 0;
}

static bool try_everything(void *context, void *object, size_t size, uint16_t kind) {
  seen *all = context;
  (void)size, (void)kind;
  if (midden_alloc(all->world->mutator, all->world->pair) != NULL) abort();
  all->inside[0] = midden_last_status(all->world->mutator);
  all->inside[1] = midden_collect(all->world->mutator, MIDDEN_FULL);
  all->inside[2] = midden_each(all->world->heap, see, all);
  all->inside[3] = midden_heap_close(all->world->heap);
  if (midden_identity_hash(all->world->mutator, object) == 0) abort();
  return true;
}

START_TEST(every_object_once) {
  world here;
  world_open(&here, _i, NULL);
  seen all = {.world = &here};
  ck_assert_int_eq(midden_each(here.heap, see, &all), MIDDEN_OK);
  ck_assert_uint_eq(all.pairs + all.leaves, 0);
  for (size_t i = 0; i < 300; i++) {
    here.slots[i] = (uintptr_t)world_pair(&here);
    ((pair *)here.slots[i])->car = immediate(i);
    here.slots[1000 + i] = (uintptr_t)world_leaf(&here, i == 99 ? 100000 : 8 + i * 3, i);
  }
  stack_wipe();
  world_collect(&here);
  ck_assert_int_eq(midden_each(here.heap, see, &all), MIDDEN_OK);
  ck_assert_uint_eq(all.pairs, 300);
  ck_assert_uint_eq(all.leaves, 300);
  ck_assert_uint_eq(all.bytes, world_statistics(&here).used_bytes);
  for (size_t i = 0; i < 300; i++) ck_assert_uint_eq(((pair *)here.slots[i])->car, immediate(i + 1));
  all = (seen){.world = &here, .stop_after = 7};
  ck_assert_int_eq(midden_each(here.heap, see, &all), MIDDEN_OK);
  ck_assert_uint_eq(all.pairs + all.leaves, 7);
  ck_assert_int_eq(midden_each(here.heap, NULL, NULL), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_each(NULL, see, &all), MIDDEN_MISUSE);
  ck_assert_int_eq(midden_each(here.heap, try_everything, &all), MIDDEN_OK);
  for (int i = 0; i < 4; i++) ck_assert_int_eq(all.inside[i], MIDDEN_MISUSE);
  ck_assert_uint_eq(world_statistics(&here).identities, 600);
  world_pair(&here); /* and on it goes */
  world_close(&here);
}
END_TEST

START_TEST(bad_arguments) {
  world here;
  midden_usage usage;
  world_open(&here, _i, NULL);
  ck_assert_int_eq(midden_usage_of_kind(here.heap, 0, &usage), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_usage_of_kind(here.heap, 999, &usage), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_usage_of_kind(here.heap, here.pair.id, NULL), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_usage_of_class(here.heap, 999, 8, &usage), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_usage_of_kind(NULL, 1, &usage), MIDDEN_MISUSE);
  ck_assert_uint_eq(midden_doctor(NULL, NULL, 0), 0);
  world_close(&here);
}
END_TEST

/* ---- memory goes back ---- */

static size_t process_resident(void) {
  long total = 0, resident = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  ck_assert_ptr_nonnull(file);
  ck_assert_int_eq(fscanf(file, "%ld %ld", &total, &resident), 2);
  fclose(file);
  return (size_t)resident * 4096;
}

START_TEST(the_process_shrinks) {
  world here;
  world_open(&here, _i, "verify=off,heap-limit=256M,memory-checker=no"); /* what AddressSanitizer notes stays resident */
  size_t before = process_resident(), heap_before = midden_resident_bytes(here.heap);
  for (size_t i = 0; i < 4000; i++) here.slots[i] = (uintptr_t)world_leaf(&here, i % 50 == 0 ? 200000 : 8000, i);
  size_t high = process_resident(), heap_high = midden_resident_bytes(here.heap);
  ck_assert_uint_ge(high - before, (size_t)44 << 20);
  ck_assert_uint_ge(heap_high - heap_before, (size_t)44 << 20);
  memset(here.slots, 0, 4000 * sizeof *here.slots);
  stack_wipe();
  world_collect(&here);
  size_t returned = midden_trim(here.heap);
  size_t low = process_resident(), heap_low = midden_resident_bytes(here.heap);
  EXPECT(low <= before + ((size_t)4 << 20), "%zu bytes resident before, %zu full, %zu trimmed", before, high, low);
  EXPECT(heap_low <= (size_t)2 << 20, "%zu bytes of the heap are resident", heap_low);
  EXPECT(returned <= high - low + ((size_t)8 << 20), "%zu bytes were said to go back", returned);
  world_list(&here, 0, 1000);
  world_list_check(&here, 0, 1000);
  world_close(&here);
}
END_TEST

/* A string builder that doubles: each new block is larger than all the gaps that those before it have left, so the gaps are of
 * no use, and go back when the heap has more than it is going to need. (Without that, they were kept: 59 MiB and more.) */
static size_t build_strings(world *here) {
  static const size_t first = 40 << 10, largest = 20 << 20;
  size_t most = 0;
  for (size_t round = 0; round < 30; round++) {
    unsigned char *built = NULL;
    for (size_t size = first + round * 8192; size <= largest; size = 2 * size + 8192) {
      built = midden_block_realloc(here->mutator, built, size);
      EXPECT(built != NULL, "no block of %zu bytes", size);
      built[size - 1] = 1;
      world_list(here, 1, 200);
      midden_statistics now = world_statistics(here);
      if (now.span_bytes + now.free_bytes > most) most = now.span_bytes + now.free_bytes;
    }
    ck_assert_int_eq(midden_block_free(here->mutator, built), MIDDEN_OK);
  }
  return most;
}

START_TEST(scattered_pages_go_back) {
  world here;
  world_open(&here, _i, "verify=off,heap-limit=256M");
  world_list(&here, 0, 100000);
  size_t most = build_strings(&here);
  ck_assert_msg(most < (size_t)50 << 20, "%zu bytes are backed at a time", most);
  ck_assert_uint_gt(world_statistics(&here).pages_returned, 0);
  world_list_check(&here, 0, 100000);
  world_close(&here);
}
END_TEST

/* What is outside of the heap's pages says nothing about how many are needed. (It did: then nothing went back.) */
START_TEST(external_memory_needs_no_pages) {
  world here;
  world_open(&here, _i, "verify=off,heap-limit=1G,growth=ratio:1.1");
  ck_assert_int_eq(midden_external_add(here.mutator, NULL, (size_t)100 << 20), MIDDEN_OK);
  world_list(&here, 0, 100000);
  world_collect(&here);
  size_t most = build_strings(&here);
  ck_assert_msg(most < (size_t)50 << 20, "%zu bytes are backed at a time", most);
  world_close(&here);
}
END_TEST

/* Where nothing collects, nothing is known of what is going to be needed. (What was expected with another collector went on to
 * count.) */
START_TEST(without_collections_pages_are_kept) {
  world here;
  world_open(&here, _i, "verify=off,heap-limit=256M");
  world_collect(&here);
  ck_assert_int_eq(midden_heap_use(here.heap, "none", NULL), MIDDEN_OK);
  uint64_t before = world_statistics(&here).pages_returned;
  build_strings(&here);
  ck_assert_uint_eq(world_statistics(&here).pages_returned, before);
  ck_assert_uint_gt(world_statistics(&here).free_bytes, (size_t)20 << 20);
  world_close(&here);
}
END_TEST

/* More kinds in use at a time than a mutator holds runs: those that are given back for others are taken up again, and
 * everything is counted exactly after each allocation. */
START_TEST(many_kinds) {
  enum { KINDS = 300 };
  static midden_kind kinds[KINDS];
  static size_t made[KINDS];
  world here;
  uint64_t random = 3;
  world_open(&here, _i, "growth=fixed,heap-limit=256M");
  memset(made, 0, sizeof made);
  for (size_t k = 0; k < KINDS; k++) {
    kinds[k] = midden_kind_define(here.heap, &(midden_shape){.name = "one of many", .size = 8 + k % 40 * 8}, NULL);
    ck_assert_uint_ne(kinds[k].id, 0);
  }
  size_t steps = world_count(&here, 20000, 600), bytes = 0, requested = 0;
  for (size_t step = 1; step <= steps; step++) {
    size_t k = step % 3 ? test_random_below(&random, KINDS) : step % 100, size = 8 + k % 40 * 8;
    void *object = midden_alloc(here.mutator, kinds[k]);
    EXPECT(object != NULL, "no object");
    leaf_fill(object, size, k);
    if (step % 4 == 0) here.slots[step / 4 % WORLD_SLOTS] = (uintptr_t)object;
    made[k]++;
    bytes += midden_size_of(here.heap, object);
    requested += size;
    midden_statistics now = world_statistics(&here);
    EXPECT(now.allocations == step && now.allocated_bytes == bytes && now.requested_bytes == requested,
           "step %zu: %llu allocations of %llu bytes", step, (unsigned long long)now.allocations,
           (unsigned long long)now.allocated_bytes);
    if (now.collections == 0) EXPECT(now.used_bytes == bytes, "step %zu: %zu of %zu bytes in use", step, now.used_bytes, bytes);
    EXPECT(of_kind(&here, kinds[k]).allocations == made[k], "step %zu: of this kind %zu", step, made[k]);
    if (step % 2000 == 0) world_verify(&here);
    if (step % 3000 == 0) world_collect(&here);
  }
  for (size_t i = 1; i < WORLD_SLOTS && i <= steps / 4; i++) {
    uint16_t kind = here.slots[i] ? midden_kind_of(here.heap, (void *)here.slots[i]) : 0;
    if (kind) EXPECT_LEAF((void *)here.slots[i], 8 + (kind - kinds[0].id) % 40u * 8, (uint64_t)(kind - kinds[0].id));
  }
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {equal_to_a_shadow, CALM | PRECISE},
      {every_object_once, PRECISE},
      {bad_arguments, ANYWHERE},
      {many_kinds, ANYWHERE},
      {the_process_shrinks, CALM | PRECISE | COLLECTING},
      {scattered_pages_go_back, CALM | PRECISE | COLLECTING},
      {external_memory_needs_no_pages, CALM | PRECISE | COLLECTING},
      {without_collections_pages_are_kept, CALM | PRECISE | COLLECTING | ONE_GENERATION},
  };
  return run_combinations("accounting", tests, COUNT_OF(tests));
}
