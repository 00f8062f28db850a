/* The shim over the Boehm collector, at its best setting for these workloads: typed allocation is slower
 * than plain GC_MALLOC there, thread support is off, the heap's limit is given in bytes. */
#ifndef BENCH_SHIM_BOEHM_H
#define BENCH_SHIM_BOEHM_H

#include <gc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SHIM_NAME "boehm"

typedef int shim_kind;

static double shim_pause_start, shim_longest_pause;

static double shim_clock(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void shim_event(GC_EventType event) {
  if (event == GC_EVENT_START) shim_pause_start = shim_clock();
  if (event == GC_EVENT_END) {
    double pause = shim_clock() - shim_pause_start;
    if (pause > shim_longest_pause) shim_longest_pause = pause;
  }
}

/* Options: "heap-limit=BYTES,divisor=N", each optional. */
static void shim_open(const char *options, const void *stack_bottom) {
  (void)stack_bottom;
  unsigned long limit = 0, divisor = 0;
  if (sscanf(options, "heap-limit=%lu", &limit) == 1 && limit) GC_set_max_heap_size(limit);
  if (sscanf(options, "divisor=%lu", &divisor) == 1 && divisor) GC_set_free_space_divisor(divisor);
  GC_INIT();
  GC_set_on_collection_event(shim_event);
}

static shim_kind shim_define(const char *name, size_t size, uint64_t references) {
  (void)name, (void)size;
  return references != 0;
}

static inline void *shim_check(void *object) {
  if (__builtin_expect(!object, 0)) {
    fprintf(stderr, "out of memory\n");
    exit(3);
  }
  return object;
}

static inline void *shim_allocate(shim_kind kind, size_t size) {
  (void)kind;
  return shim_check(GC_MALLOC(size));
}
static inline void *shim_allocate_leaf(shim_kind kind, size_t size) {
  (void)kind;
  return shim_check(GC_MALLOC_ATOMIC(size));
}
static inline void shim_store(void *object, void *slot, void *value) {
  (void)object;
  *(void **)slot = value;
}
static inline void shim_free_tree(void *object) { (void)object; }
#define SHIM_FRAME(...) ((void)0)
#define SHIM_END() ((void)0)

static void shim_report(void) {
  printf("collections=%lu\nlongest_pause_ms=%.3f\npeak_committed_kib=%zu\n", (unsigned long)GC_get_gc_no(),
         shim_longest_pause, GC_get_heap_size() >> 10);
}

#endif
