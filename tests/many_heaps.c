/* Ten thousand heaps in one process, one after another, each with some of everything left in it when it is closed: roots,
 * weak slots, finalizers, pins, scopes, blocks, buffers, pools. Every reservation has its release, all commits lie inside of
 * what was released, and the process does not grow. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "counting_memory.h"
#include "harness.h"

#if defined __has_feature
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#endif
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define SANITIZED
#endif

#ifdef SANITIZED
enum { GROWTH_MOST = 16 << 20 }; /* what is freed waits in quarantine */
#else
enum { GROWTH_MOST = 512 << 10 };
#endif
enum { HEAPS = 10000, WARM_UP = 200, OBJECTS = 40, SLOTS = 8 };

typedef struct setting {
  const char *collector;
  midden_stack_mode stack;
  bool generational;
} setting;

/* The settings in turn. */
static setting setting_of(size_t number) {
  size_t collectors = 0;
  while (midden_collector_name(collectors) != NULL) collectors++;
  const char *name = midden_collector_name(number % collectors);
  number /= collectors;
  return (setting){name, number % 2 ? MIDDEN_STACK_PRECISE : MIDDEN_STACK_CONSERVATIVE,
                   collector_collects(name) && number / 2 % 2};
}

static size_t on_free_calls, finalized;

static void count_free(void *object, size_t size, void *context) {
  (void)object, (void)size, (void)context;
  on_free_calls++;
}

static void count_finalized(midden_mutator *mutator, void *object, void *context) {
  (void)mutator, (void)object, (void)context;
  finalized++;
}

static void at_phase(midden_marking *marking, midden_phase phase, void *context) { (void)marking, (void)phase, (void)context; }
static void at_hit(midden_marking *marking, void *object, uint16_t kind, void *context) {
  (void)marking, (void)object, (void)kind, (void)context;
}
static void scan_nothing(midden_visitor *visitor, void *context) { (void)visitor, (void)context; }

/* A heap in use, and what the host holds of it. */
typedef struct usage {
  midden_heap *heap;
  midden_mutator *mutator;
  midden_kind pair, native, pairs;
  midden_word slots[SLOTS], weak[SLOTS], ambiguous[SLOTS];
} usage;

static void define_kinds(usage *here) {
  here->pair = midden_kind_define(here->heap, &(midden_shape){.name = "pair", .size = 16, .refs = MIDDEN_REFS_ALL}, NULL);
  here->native = midden_kind_define(here->heap, &(midden_shape){.name = "native", .on_free = count_free,
                                                                .finalizer = count_finalized}, NULL);
  here->pairs = midden_kind_define(here->heap, &(midden_shape){.name = "pairs", .refs = MIDDEN_REFS_PAIRS}, NULL);
  EXPECT(here->pair.id && here->native.id && here->pairs.id, "no kinds");
}

static void register_all(usage *here, size_t number) {
  EXPECT(midden_root_range_add(here->heap, here->slots, SLOTS) == MIDDEN_OK, "roots");
  EXPECT(midden_root_ambiguous_add(here->heap, here->ambiguous, SLOTS) == MIDDEN_OK, "ambiguous roots");
  EXPECT(midden_root_scanner_add(here->heap, scan_nothing, NULL) == MIDDEN_OK, "scanner");
  EXPECT(midden_phase_add(here->heap, at_phase, NULL, number % 3 == 0) == MIDDEN_OK, "phase");
  EXPECT(midden_hit_add(here->heap, at_hit, NULL) == MIDDEN_OK, "hit");
  for (size_t i = 0; i < SLOTS; i++)
    EXPECT(midden_weak_add(here->heap, &here->weak[i], i % 2 ? MIDDEN_WEAK_LONG : MIDDEN_WEAK_SHORT) == MIDDEN_OK, "weak");
}

static void *keep(usage *here, size_t slot, void *object) {
  EXPECT(object != NULL, "no object: %s", midden_status_name(midden_last_status(here->mutator)));
  here->slots[slot % SLOTS] = (uintptr_t)object;
  return object;
}

/* One object, and what can be known of it. */
static void make_object(usage *here, size_t i) {
  midden_mutator *mutator = here->mutator;
  void *object = keep(here, i, i % 3 == 0 ? midden_alloc_sized(mutator, here->native, 24 + i)
                                          : midden_alloc(mutator, here->pair));
  if (i % 4 == 0) midden_finalizer_add(mutator, object, count_finalized, NULL);
  if (i % 9 == 0) midden_finalizer_add_ordered(mutator, object, count_finalized, NULL);
  if (i % 5 == 0) midden_identity_hash(mutator, object);
  if (i % 7 == 0) midden_external_add(mutator, object, 1000);
  if (i % 11 == 0) midden_pin(mutator, object);
  if (i % 13 == 0) midden_pin_in_scope(mutator, object);
  here->weak[i % SLOTS] = (uintptr_t)object;
  here->ambiguous[(i + 1) % SLOTS] = (uintptr_t)object + 8;
}

static void make_large_things(usage *here, size_t number) {
  midden_mutator *mutator = here->mutator;
  midden_word *table = keep(here, 1, midden_alloc_sized(mutator, here->pairs, 64));
  midden_store_word(mutator, table, &table[0], here->slots[0]);
  midden_store_word(mutator, table, &table[1], here->slots[2]);
  if (number % 4 == 0) keep(here, 3, midden_alloc_sized(mutator, here->native, 100000));
  for (size_t i = 0; i < 5; i++) EXPECT(midden_block_alloc(mutator, 30 + i * 100) != NULL, "no block");
  if (number % 5 == 0) EXPECT(midden_block_alloc(mutator, 70000) != NULL, "no large block");
  keep(here, 4, midden_buffer_new(mutator, 500));
  if (number % 8 == 0) {
    midden_pool *pool;
    midden_lease lease = {0};
    midden_error error = {MIDDEN_OK, ""};
    EXPECT(midden_pool_open(mutator, &(midden_pool_options){.chunk_bytes = 4096, .total_bytes = 16384}, &pool, &error) == MIDDEN_OK,
           "pool: %s", error.message);
    EXPECT(midden_pool_acquire(pool, 100, 0, MIDDEN_HERE, &lease) == MIDDEN_OK, "lease");
    midden_pool_release(pool, &lease);
  }
}

static void use(usage *here, size_t number) {
  define_kinds(here);
  register_all(here, number);
  midden_scope_open(here->mutator);
  EXPECT(midden_handle_new(here->mutator, NULL) != NULL, "no handle");
  for (size_t i = 0; i < OBJECTS; i++) make_object(here, i + number % 7);
  midden_collect(here->mutator, MIDDEN_MINOR);
  make_large_things(here, number);
  for (size_t i = 0; i < OBJECTS; i++) make_object(here, i);
  midden_collect(here->mutator, MIDDEN_FULL);
  midden_finalizers_run(here->mutator, 3); /* the others wait, or are registered */
  if (number % 6 == 0) midden_defragment(here->mutator, SIZE_MAX, NULL);
  if (number % 10 == 0) midden_detach(midden_attach(here->heap, NULL, NULL));
}

static void open_use_close(size_t number, counting_memory *memory) {
  setting chosen = setting_of(number);
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  midden_error error = {MIDDEN_OK, ""};
  usage here = {0};
  snprintf(config.collector, sizeof config.collector, "%s", chosen.collector);
  config.stack = chosen.stack;
  config.generational = chosen.generational;
  config.heap_limit = (size_t)8 << 20;
  config.run_finalizers = number % 2;
  config.poison = number % 3 == 0;
  config.memory = memory != NULL ? &memory->face : NULL;
  EXPECT(midden_heap_open(&config, &here.heap, &error) == MIDDEN_OK, "heap %zu: %s", number, error.message);
  here.mutator = midden_attach(here.heap, NULL, &error);
  EXPECT(here.mutator != NULL, "heap %zu: %s", number, error.message);
  use(&here, number);
  EXPECT(midden_heap_close(here.heap) == MIDDEN_OK, "heap %zu is not closed", number);
}

/* Bytes of the process in memory; 0 if the system does not say. */
static size_t resident(void) {
  size_t pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file == NULL) return 0;
  if (fscanf(file, "%*u %zu", &pages) != 1) pages = 0;
  fclose(file);
  return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static size_t mappings(void) {
  FILE *maps = fopen("/proc/self/maps", "r");
  if (maps == NULL) return 0;
  size_t lines = 0;
  for (int c = fgetc(maps); c != EOF; c = fgetc(maps)) lines += c == '\n';
  fclose(maps);
  return lines;
}

START_TEST(nothing_is_left) {
  for (size_t i = 0; i < WARM_UP; i++) open_use_close(i, NULL);
  size_t resident_before = resident(), mappings_before = mappings();
  static counting_memory memory;
  counting_memory_open(&memory);
  for (size_t i = 0; i < HEAPS; i++) {
    /* Half of them with the system's memory, so that its port is tried too. */
    counting_memory *counted = i / 16 % 2 ? &memory : NULL;
    open_use_close(i, counted);
    EXPECT(memory.reserves == memory.releases && memory.reservations == 0 && memory.reserved_bytes == 0,
           "heap %zu (%s): %llu reservations, %llu releases", i, setting_of(i).collector,
           (unsigned long long)memory.reserves, (unsigned long long)memory.releases);
    EXPECT(memory.violations == 0, "heap %zu: a request for memory that it does not have", i);
  }
  ck_assert_uint_ge(memory.reserves, HEAPS / 2 / 2);
  ck_assert_uint_gt(memory.commits, memory.reserves);
  ck_assert_uint_gt(on_free_calls, HEAPS);
  ck_assert_uint_gt(finalized, HEAPS);
  ck_assert_uint_le(mappings(), mappings_before + 8); /* of the C library's own */
  size_t resident_after = resident();
  ck_assert_msg(resident_after <= resident_before + GROWTH_MOST, "%zu bytes were in memory before, %zu are after",
                resident_before, resident_after);
}
END_TEST

int main(void) {
  const TTest *const tests[] = {nothing_is_left};
  return run_once("many_heaps", tests, COUNT_OF(tests));
}
