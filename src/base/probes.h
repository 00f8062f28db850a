/* Probes for bpftrace, perf and SystemTap (USDT): each is one nop in the code and a note in the file. They are there
 * if the build found sys/sdt.h (Meson's option usdt); without it these functions are empty. */
#ifndef MIDDEN_BASE_PROBES_H
#define MIDDEN_BASE_PROBES_H

#include <stddef.h>
#include <stdint.h>

#ifdef MIDDEN_USDT
#include <sys/sdt.h>
#define PROBE(name, count, ...) DTRACE_PROBE##count(midden, name, __VA_ARGS__)
#else
#define PROBE(name, count, ...) ((void)0)
#endif

#define PROBE_INLINE static inline __attribute__((always_inline)) void

PROBE_INLINE probe_collection_begin(const void *heap, uint64_t number, int minor, int cause) {
  (void)heap, (void)number, (void)minor, (void)cause;
  PROBE(collection__begin, 4, heap, number, minor, cause);
}

PROBE_INLINE probe_collection_end(const void *heap, uint64_t number, uint64_t pause_ns, size_t live_bytes) {
  (void)heap, (void)number, (void)pause_ns, (void)live_bytes;
  PROBE(collection__end, 4, heap, number, pause_ns, live_bytes);
}

/* `step`: a number of enum gc_step. */
PROBE_INLINE probe_step_begin(int step) {
  (void)step;
  PROBE(step__begin, 1, step);
}

PROBE_INLINE probe_step_end(int step) {
  (void)step;
  PROBE(step__end, 1, step);
}

/* A run of cells was taken, or a large object. */
PROBE_INLINE probe_refill(const void *heap, unsigned kind, size_t cell_size, size_t bytes) {
  (void)heap, (void)kind, (void)cell_size, (void)bytes;
  PROBE(refill, 4, heap, kind, cell_size, bytes);
}

/* Memory was taken from its source: `pages` of 8 KiB, `all` since the heap was opened. */
PROBE_INLINE probe_grow(const void *page_heap, size_t pages, size_t all) {
  (void)page_heap, (void)pages, (void)all;
  PROBE(grow, 3, page_heap, pages, all);
}

#endif
