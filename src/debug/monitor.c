/* The monitor: a page of text about a heap at work. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/line.h"
#include "heap/heap.h"
#include "midden/pauses.h"

/* What was seen at one moment. */
struct seen {
  uint64_t at; /* the clock */
  midden_statistics figures;
  struct histogram pauses[2]; /* full, minor */
};

struct midden_monitor {
  midden_heap *heap;
  struct seen last;
  size_t kind_bytes[MIDDEN_KIND_MAX + 1];
};

static struct seen look(midden_heap *heap) {
  struct seen seen = {.at = mdn_os_clock()};
  midden_statistics_read(heap, &seen.figures);
  memcpy(seen.pauses, heap->figures.pauses, sizeof seen.pauses);
  return seen;
}

static midden_usage usage_of(midden_heap *heap, size_t kind) {
  midden_usage usage = {0, 0, 0, 0};
  midden_usage_of_kind(heap, (uint16_t)kind, &usage);
  return usage;
}

static void note_kinds(midden_monitor *monitor) {
  for (size_t kind = 1; kind < monitor->heap->core.kinds.count; kind++) {
    monitor->kind_bytes[kind] = usage_of(monitor->heap, kind).bytes;
  }
}

midden_status midden_monitor_open(midden_heap *heap, midden_monitor **result, midden_error *error) {
  if (heap_enter(heap) != MIDDEN_OK) {
    return mdn_error(error, MIDDEN_MISUSE, "midden_monitor_open: not an open heap of this thread, or inside a collection");
  }
  if (!result) return mdn_error(error, MIDDEN_BAD_ARGUMENT, "midden_monitor_open: a place for the monitor");
  midden_monitor *monitor = mdn_arena_allocate(&heap->core.arena, sizeof *monitor);
  if (!monitor) return mdn_error(error, MIDDEN_NO_MEMORY, "the system refused memory for a monitor");
  monitor->heap = heap;
  monitor->last = look(heap);
  note_kinds(monitor);
  *result = monitor;
  return MIDDEN_OK;
}

void midden_monitor_close(midden_monitor *monitor) {
  if (monitor && heap_enter(monitor->heap) == MIDDEN_OK) {
    mdn_arena_free(&monitor->heap->core.arena, monitor, sizeof *monitor);
  }
}

/* ---- text ---- */

/* Tenths of a unit per second. */
static uint64_t tenths_per_second(uint64_t count, uint64_t ns) {
  return ns ? (uint64_t)((double)count * 1e10 / (double)ns) : 0;
}

static void add_size(struct line *line, const midden_heap *heap, const midden_statistics *figures) {
  mdn_line_add(line, "midden %s, collections: %llu minor, %llu full\n", heap->collector->name,
               (unsigned long long)figures->minor_collections,
               (unsigned long long)(figures->collections - figures->minor_collections));
  mdn_line_add(line, "bytes     used %zu, live %zu, committed %zu, peak %zu, limit %zu\n", figures->used_bytes,
               figures->live_bytes, figures->committed_bytes, figures->peak_committed_bytes, figures->limit_bytes);
}

static void add_rates(struct line *line, const struct seen *now, const struct seen *last) {
  uint64_t ns = now->at - last->at, bytes = now->figures.allocated_bytes - last->figures.allocated_bytes;
  uint64_t kib = tenths_per_second(bytes >> 10, ns);
  mdn_line_add(line, "allocated %llu bytes, %llu objects in " MILLISECONDS_FORMAT " ms: %llu.%u KiB/s\n",
               (unsigned long long)bytes, (unsigned long long)(now->figures.allocations - last->figures.allocations),
               MILLISECONDS(ns), (unsigned long long)(kib / 10), (unsigned)(kib % 10));
}

static void add_pauses(struct line *line, const struct seen *now, const struct seen *last) {
  static const char *const sorts[] = {"full", "minor"};
  for (int minor = 1; minor >= 0; minor--) {
    struct histogram since = mdn_histogram_since(&now->pauses[minor], &last->pauses[minor]);
    uint64_t ns = now->at - last->at, share = ns ? since.sum * 1000 / ns : 0;
    mdn_line_add(line,
                 "%-9s %llu pauses, " MILLISECONDS_FORMAT " ms (%llu.%u %%), p50 " MILLISECONDS_FORMAT
                 ", p99 " MILLISECONDS_FORMAT ", longest " MILLISECONDS_FORMAT "\n",
                 sorts[minor], (unsigned long long)since.count, MILLISECONDS(since.sum), (unsigned long long)(share / 10),
                 (unsigned)(share % 10), MILLISECONDS(mdn_histogram_percentile(&since, 50)),
                 MILLISECONDS(mdn_histogram_percentile(&since, 99)), MILLISECONDS(since.longest));
  }
}

/* A kind, by what it takes. */
struct ranked {
  size_t kind;
  midden_usage usage;
};

static int by_bytes(const void *left, const void *right) {
  const struct ranked *a = left, *b = right;
  if (a->usage.bytes != b->usage.bytes) return a->usage.bytes < b->usage.bytes ? 1 : -1;
  return a->kind < b->kind ? -1 : 1;
}

static void add_kinds(struct line *line, midden_monitor *monitor, size_t most, size_t used) {
  struct ranked ranked[MIDDEN_KIND_MAX];
  const struct kind_table *table = &monitor->heap->core.kinds;
  size_t count = 0;
  for (size_t kind = 1; kind < table->count; kind++) {
    ranked[count++] = (struct ranked){kind, usage_of(monitor->heap, kind)};
  }
  qsort(ranked, count, sizeof *ranked, by_bytes);
  if (most > 0) mdn_line_add(line, "%-20s %10s %12s %12s %6s\n", "kind", "objects", "bytes", "growth", "share");
  for (size_t i = 0; i < count && i < most; i++) {
    const midden_usage *usage = &ranked[i].usage;
    long long growth = (long long)usage->bytes - (long long)monitor->kind_bytes[ranked[i].kind];
    mdn_line_add(line, "%-20.20s %10zu %12zu %+12lld %4zu %%\n", table->kinds[ranked[i].kind].name, usage->objects,
                 usage->bytes, growth, used ? usage->bytes * 100 / used : 0);
  }
}

size_t midden_monitor_text(midden_monitor *monitor, size_t kinds, char *text, size_t capacity) {
  if (!monitor || heap_enter(monitor->heap) != MIDDEN_OK) return 0;
  struct line line = {text, capacity, 0};
  struct seen now = look(monitor->heap);
  if (capacity > 0) text[0] = 0;
  add_size(&line, monitor->heap, &now.figures);
  add_rates(&line, &now, &monitor->last);
  add_pauses(&line, &now, &monitor->last);
  add_kinds(&line, monitor, kinds, now.figures.used_bytes);
  if (capacity > 0) {
    monitor->last = now;
    note_kinds(monitor);
  }
  return line.length;
}
