/* The shim over the Boehm collector, at its best setting for these workloads: plain GC_MALLOC, which is faster
 * here than typed allocation; no interior pointers in the heap, as the workloads have none, which saves a word
 * for each object; the whole of the heap's limit is taken at once, so that it collects as rarely as it can; with
 * expand=0 it grows, and collects more often, which fragments less and gets by with less.
 *
 * Options: "heap-limit=BYTES,divisor=N,expand=0", each optional, in this order. */
#ifndef BENCH_SHIM_BOEHM_H
#define BENCH_SHIM_BOEHM_H

#include <gc.h>

#define SHIM_NAME "boehm"

typedef int shim_kind;

static double shim_pause_start;

static void shim_event(GC_EventType event) {
  if (event == GC_EVENT_START) shim_pause_start = shim_clock(CLOCK_MONOTONIC);
  if (event == GC_EVENT_END) shim_pause(shim_clock(CLOCK_MONOTONIC) - shim_pause_start);
}

/* The value of an option, or the default. */
static unsigned long shim_option(const char *options, const char *name, unsigned long otherwise) {
  const char *found = strstr(options, name);
  return found ? strtoul(found + strlen(name), NULL, 10) : otherwise;
}

static void shim_open(const char *options, const void *stack_bottom) {
  (void)stack_bottom;
  unsigned long limit = shim_option(options, "heap-limit=", 0);
  unsigned long divisor = shim_option(options, "divisor=", 0);
  GC_set_all_interior_pointers((int)shim_option(options, "interior=", 0));
  if (limit) GC_set_max_heap_size(limit);
  GC_set_warn_proc(GC_ignore_warn_proc);
  GC_set_max_retries(3); /* collections when the limit is reached, before it gives up; 0 by itself */
  if (divisor) GC_set_free_space_divisor(divisor);
  GC_INIT();
  if (limit && shim_option(options, "expand=", 1) && GC_get_heap_size() < limit) {
    GC_expand_hp(limit - GC_get_heap_size());
  }
  GC_set_on_collection_event(shim_event);
}

static SHIM_MAYBE_UNUSED shim_kind shim_define(const char *name, size_t size, uint64_t references) {
  (void)name, (void)size;
  return references != 0;
}
static SHIM_MAYBE_UNUSED shim_kind shim_define_array(const char *name) {
  (void)name;
  return 1;
}
static SHIM_MAYBE_UNUSED shim_kind shim_define_leaf(const char *name) {
  (void)name;
  return 0;
}

static inline void *shim_allocate(shim_kind kind, size_t size) {
  if (kind) return shim_check(GC_MALLOC(size));
  return memset(shim_check(GC_MALLOC_ATOMIC(size)), 0, size);
}
static inline void *shim_allocate_array(shim_kind kind, size_t count) {
  (void)kind;
  return shim_check(GC_MALLOC(count * sizeof(void *)));
}
static inline void *shim_allocate_leaf(shim_kind kind, size_t size) {
  (void)kind;
  return shim_check(GC_MALLOC_ATOMIC(size));
}
static inline void shim_store(void *object, void *slot, void *value) {
  (void)object;
  *(void **)slot = value;
}
static inline void shim_free(void *object) { (void)object; }

/* Boehm has no ephemerons. A pair is a hidden key with a disappearing link, and a value, which is held until the
 * pair is used again: so much a host would write, as long as values do not refer to keys. */
static SHIM_MAYBE_UNUSED shim_kind shim_define_pairs(const char *name) {
  (void)name;
  return 1;
}
static inline void *shim_allocate_pairs(shim_kind kind, size_t count) { return shim_allocate_array(kind, 2 * count); }
static inline void *shim_pair_key(void *table, size_t index) {
  GC_hidden_pointer hidden = ((GC_hidden_pointer *)table)[2 * index];
  return hidden ? GC_REVEAL_POINTER(hidden) : NULL;
}
static inline void *shim_pair_value(void *table, size_t index) { return ((void **)table)[2 * index + 1]; }
static inline void shim_pair_set(void *table, size_t index, void *key, void *value) {
  void **pair = (void **)table + 2 * index;
  if (pair[0]) GC_unregister_disappearing_link(pair);
  pair[0] = (void *)GC_HIDE_POINTER(key);
  pair[1] = value;
  GC_general_register_disappearing_link(pair, key);
}
#define SHIM_FRAME(...) ((void)0)
#define SHIM_END() ((void)0)

static SHIM_MAYBE_UNUSED void shim_checkpoint(void) {}
static SHIM_MAYBE_UNUSED void shim_settle(void) { GC_gcollect_and_unmap(); }
static SHIM_MAYBE_UNUSED size_t shim_committed(void) { return GC_get_heap_size() - GC_get_unmapped_bytes(); }

static void shim_report(void) {
  printf("collections=%lu\npeak_committed_kib=%zu\n", (unsigned long)GC_get_gc_no(), GC_get_heap_size() >> 10);
}

#endif
