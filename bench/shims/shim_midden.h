/* The shim over midden: options come from the command line's first argument. With SHIM_PRECISE, locals are
 * in frames; without, the C stack is scanned. */
#ifndef BENCH_SHIM_MIDDEN_H
#define BENCH_SHIM_MIDDEN_H

#include <midden/midden.h>
#include <stdio.h>
#include <stdlib.h>

#define SHIM_NAME "midden"

static midden_heap *shim_heap;
static midden_mutator *shim_mutator;

static void shim_open(const char *options, const void *stack_bottom) {
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  midden_error error;
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

static shim_kind shim_define(const char *name, size_t size, uint64_t references) {
  midden_shape shape = {.name = name, .size = size, .refs = MIDDEN_REFS_BITMAP, .bitmap = references};
  if (references == 0) shape.refs = MIDDEN_REFS_NONE;
  return midden_kind_define(shim_heap, &shape, NULL);
}

static inline void *shim_check(void *object) {
  if (__builtin_expect(!object, 0)) {
    fprintf(stderr, "out of memory\n");
    exit(3);
  }
  return object;
}

static inline void *shim_allocate(shim_kind kind, size_t size) {
  (void)size;
  return shim_check(midden_alloc(shim_mutator, kind));
}
static inline void *shim_allocate_leaf(shim_kind kind, size_t size) {
  return shim_check(midden_alloc_sized(shim_mutator, kind, size));
}
static inline void shim_store(void *object, void *slot, void *value) { midden_store(shim_mutator, object, slot, value); }
static inline void shim_free_tree(void *object) { (void)object; }

#ifdef SHIM_PRECISE
#define SHIM_FRAME(...) MIDDEN_FRAME(shim_mutator, __VA_ARGS__)
#define SHIM_END() MIDDEN_END(shim_mutator)
#else
#define SHIM_FRAME(...) ((void)0)
#define SHIM_END() ((void)0)
#endif

static void shim_report(void) {
  midden_statistics statistics;
  midden_statistics_read(shim_heap, &statistics);
  printf("collections=%llu\nlongest_pause_ms=%.3f\ntotal_pause_ms=%.3f\npeak_committed_kib=%zu\n",
         (unsigned long long)statistics.collections, (double)statistics.longest_pause_ns / 1e6,
         (double)statistics.total_pause_ns / 1e6, statistics.peak_committed_bytes >> 10);
}

#endif
