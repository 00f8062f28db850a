/* The shim over midden. With SHIM_PRECISE, locals are in frames; without, the C stack is scanned.
 *
 * Options are midden's; in front of them, "probe," makes checkpoints collect, and the report says how much
 * was alive at most: probe runs are how bench/run finds the live size. "defragment," makes shim_settle defragment. */
#ifndef BENCH_SHIM_MIDDEN_H
#define BENCH_SHIM_MIDDEN_H

#include <midden/midden.h>

#ifdef SHIM_PRECISE
#define SHIM_NAME "midden-precise"
#else
#define SHIM_NAME "midden"
#endif

static midden_heap *shim_heap;
static midden_mutator *shim_mutator;
static bool shim_probing, shim_defragmenting;
static size_t shim_live_most;

static void shim_open(const char *options, const void *stack_bottom) {
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  midden_error error;
  shim_probing = strncmp(options, "probe,", 6) == 0;
  if (shim_probing) options += strlen("probe,");
  shim_defragmenting = strncmp(options, "defragment,", 11) == 0;
  if (shim_defragmenting) options += strlen("defragment,");
#ifdef SHIM_PRECISE
  config.stack = MIDDEN_STACK_PRECISE;
#endif
  if (midden_config_parse(&config, options, &error) != MIDDEN_OK ||
      midden_heap_open(&config, &shim_heap, &error) != MIDDEN_OK ||
      !(shim_mutator = midden_attach(shim_heap, stack_bottom, &error))) {
    fprintf(stderr, "%s\n", error.message);
    exit(2);
  }
}

typedef midden_kind shim_kind;

static shim_kind shim_define_shape(const midden_shape *shape) {
  midden_error error;
  shim_kind kind = midden_kind_define(shim_heap, shape, &error);
  if (kind.id == 0) {
    fprintf(stderr, "%s\n", error.message);
    exit(2);
  }
  return kind;
}

static SHIM_MAYBE_UNUSED shim_kind shim_define(const char *name, size_t size, uint64_t references) {
  midden_shape shape = {.name = name, .size = size, .refs = MIDDEN_REFS_BITMAP, .bitmap = references};
  if (references == 0) shape.refs = MIDDEN_REFS_NONE;
  return shim_define_shape(&shape);
}
static SHIM_MAYBE_UNUSED shim_kind shim_define_array(const char *name) {
  midden_shape shape = {.name = name, .refs = MIDDEN_REFS_ALL};
  return shim_define_shape(&shape);
}
static SHIM_MAYBE_UNUSED shim_kind shim_define_leaf(const char *name) {
  midden_shape shape = {.name = name, .refs = MIDDEN_REFS_NONE, .flags = MIDDEN_KIND_UNZEROED};
  return shim_define_shape(&shape);
}

static inline void *shim_allocate(shim_kind kind, size_t size) {
  (void)size;
  return shim_check(midden_alloc(shim_mutator, kind));
}
static inline void *shim_allocate_array(shim_kind kind, size_t count) {
  return shim_check(midden_alloc_sized(shim_mutator, kind, count * sizeof(void *)));
}
static inline void *shim_allocate_leaf(shim_kind kind, size_t size) {
  return shim_check(midden_alloc_sized(shim_mutator, kind, size));
}
static inline void shim_store(void *object, void *slot, void *value) {
  midden_store(shim_mutator, object, slot, value);
}
static inline void shim_free(void *object) { (void)object; }

static SHIM_MAYBE_UNUSED shim_kind shim_define_pairs(const char *name) {
  midden_shape shape = {.name = name, .refs = MIDDEN_REFS_PAIRS};
  return shim_define_shape(&shape);
}
static inline void *shim_allocate_pairs(shim_kind kind, size_t count) { return shim_allocate_array(kind, 2 * count); }
static inline void *shim_pair_key(void *table, size_t index) { return ((void **)table)[2 * index]; }
static inline void *shim_pair_value(void *table, size_t index) { return ((void **)table)[2 * index + 1]; }
static inline void shim_pair_set(void *table, size_t index, void *key, void *value) {
  void **pair = (void **)table + 2 * index;
  shim_store(table, &pair[0], key);
  shim_store(table, &pair[1], value);
}

#ifdef SHIM_PRECISE
#define SHIM_FRAME(...) MIDDEN_FRAME(shim_mutator, __VA_ARGS__)
#define SHIM_END() MIDDEN_END(shim_mutator)
#else
#define SHIM_FRAME(...) ((void)0)
#define SHIM_END() ((void)0)
#endif

static SHIM_MAYBE_UNUSED void shim_checkpoint(void) {
  if (!shim_probing) return;
  midden_statistics statistics;
  midden_collect(shim_mutator, MIDDEN_FULL);
  midden_statistics_read(shim_heap, &statistics);
  if (statistics.live_bytes > shim_live_most) shim_live_most = statistics.live_bytes;
}

static SHIM_MAYBE_UNUSED void shim_settle(void) {
  if (shim_defragmenting) {
    midden_defragment(shim_mutator, SIZE_MAX, NULL);
  } else {
    midden_collect(shim_mutator, MIDDEN_FULL);
  }
  midden_trim(shim_heap);
}

static SHIM_MAYBE_UNUSED size_t shim_committed(void) {
  midden_statistics statistics;
  midden_statistics_read(shim_heap, &statistics);
  return statistics.committed_bytes;
}

/* The heap counts its pauses itself. A bucket of its histogram stands for the middle of it. */
static void shim_take_pauses(midden_collection which) {
  midden_pauses pauses;
  if (midden_pauses_read(shim_heap, which, &pauses) != MIDDEN_OK) return;
  for (size_t i = 0; i + 1 < MIDDEN_PAUSE_BUCKETS; i++) {
    uint64_t from = i ? midden_pause_bucket_limit(i - 1) : 0, to = midden_pause_bucket_limit(i);
    shim_pauses[shim_pause_bucket((double)(from + (to - from) / 2) / 1e6)] += pauses.buckets[i];
  }
  shim_pauses[SHIM_PAUSE_BUCKETS - 1] += pauses.buckets[MIDDEN_PAUSE_BUCKETS - 1];
  shim_pause_sum += (double)pauses.total_ns / 1e6;
  if ((double)pauses.longest_ns / 1e6 > shim_pause_most) shim_pause_most = (double)pauses.longest_ns / 1e6;
}

static void shim_report(void) {
  shim_take_pauses(MIDDEN_MINOR);
  shim_take_pauses(MIDDEN_FULL);
  midden_statistics statistics;
  midden_statistics_read(shim_heap, &statistics);
  printf("collections=%llu\nminor_collections=%llu\npeak_committed_kib=%zu\n",
         (unsigned long long)statistics.collections, (unsigned long long)statistics.minor_collections,
         statistics.peak_committed_bytes >> 10);
  if (shim_probing) printf("live_bytes=%zu\n", shim_live_most);
}

#endif
