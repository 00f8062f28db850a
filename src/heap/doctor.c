/* The doctor: findings in words, from the statistics. Each rule has its threshold here, says it in its sentence,
 * and is listed in docs/running.md. */
#include <stdarg.h>
#include <stdio.h>

#include "base/os.h"
#include "alloc/watch.h"
#include "heap/heap.h"

#define MIB(bytes) ((double)(bytes) / 1048576)

/* One examination: what is known, and the text so far. */
struct examination {
  const midden_heap *heap;
  midden_statistics figures;
  char *text;
  size_t capacity, length;
};

__attribute__((format(printf, 2, 3))) static void finding(struct examination *at, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  size_t room = at->length < at->capacity ? at->capacity - at->length : 0;
  int more = vsnprintf(room ? at->text + at->length : NULL, room, format, arguments);
  va_end(arguments);
  at->length += more > 0 ? (size_t)more : 0;
}

static bool collector_moves_objects(const struct examination *at) { return at->heap->collector->capabilities & COLLECTOR_MOVES; }

static void check_time(struct examination *at) {
  const midden_statistics *figures = &at->figures;
  double wall = (double)(mdn_os_clock() - at->heap->opened_at), share = 100 * (double)figures->total_pause_ns / wall;
  if (figures->collections < 10 || share <= 25) return;
  finding(at, "Collecting has taken %.0f %% of the time since the heap was opened (more than 25). Give it room: a larger "
           "factor of growth=ratio, heap-initial or heap-limit; or generational=yes.\n", share);
}

static void check_heap_limit(struct examination *at) {
  const midden_statistics *figures = &at->figures;
  size_t live = figures->live_bytes + figures->external_bytes;
  if (figures->collections > 0 && (double)live > 0.9 * (double)figures->limit_bytes) {
    finding(at, "%.1f MiB lived after the last collection, more than 90 %% of heap-limit (%.1f MiB). Raise heap-limit, or "
             "drop caches in config.pressure.\n", MIB(live), MIB(figures->limit_bytes));
  }
  if (figures->emergency_collections >= 10 && figures->emergency_collections * 10 > figures->collections) {
    finding(at, "%llu of %llu collections were emergencies (more than a tenth): memory was refused first. Raise heap-limit.\n",
         (unsigned long long)figures->emergency_collections, (unsigned long long)figures->collections);
  }
}

static void check_fragmentation(struct examination *at) {
  const midden_statistics *figures = &at->figures;
  size_t spans = figures->span_bytes - figures->block_span_bytes;
  if (figures->collections == 0 || figures->live_bytes == 0 || spans < (size_t)4 << 20) return;
  double ratio = (double)spans / (double)figures->used_bytes;
  if (ratio <= 1.5) return;
  finding(at, "The spans hold %.1f MiB and what is used of them is %.1f MiB, a ratio of %.1f (more than 1.5). %s\n",
       MIB(spans), MIB(figures->used_bytes), ratio,
       collector_moves_objects(at) ? "What cannot move keeps them: see the pins." : "midden_defragment would empty most of them, now and then; "
                                                                 "or a collector that moves (midden_heap_use).");
}

static void check_pin_cost(struct examination *at) {
  const midden_statistics *figures = &at->figures;
  if (!collector_moves_objects(at) || figures->pinned_span_bytes < (size_t)1 << 20) return;
  if (figures->pinned_span_bytes * 4 <= figures->span_bytes) return;
  finding(at, "%zu pinned objects kept %.1f of %.1f MiB of spans from being emptied (more than a quarter). Use "
           "stack=precise with frames, unpin earlier (%zu are pinned by midden_pin), or give what is pinned for good a "
           "kind with MIDDEN_KIND_PINNED.\n", figures->pinned_objects, MIB(figures->pinned_span_bytes),
       MIB(figures->span_bytes), figures->host_pins);
}

static void check_room_to_copy(struct examination *at) {
  const midden_statistics *figures = &at->figures;
  if (figures->marked_in_place < 1000 || figures->marked_in_place * 20 < figures->objects_moved) return;
  finding(at, "Copying has left %llu objects in place for want of room, and moved %llu (more than one for 20). Raise "
           "heap-limit, or use mark-compact, which needs none.\n", (unsigned long long)figures->marked_in_place,
       (unsigned long long)figures->objects_moved);
}

static void check_sizes(struct examination *at) {
  const midden_statistics *figures = &at->figures;
  if (figures->allocated_bytes > (size_t)1 << 20 &&
      (double)figures->requested_bytes < 0.85 * (double)figures->allocated_bytes) {
    finding(at, "Cells are %.0f %% larger than what was asked for (more than 18). Ask for what midden_good_size says.\n",
         100 * ((double)figures->allocated_bytes / (double)figures->requested_bytes - 1));
  }
  bool runs = at->heap->config.stress == MIDDEN_STRESS_OFF && !space_is_watched(&at->heap->core.space);
  if (runs && figures->allocations > 100000 &&
      (figures->refills - figures->large_allocations) * 20 > figures->allocations) {
    finding(at, "One allocation in %.0f needs a refill (more than one in 20): free cells lie scattered. A collector that "
             "moves makes long runs.\n", (double)figures->allocations / (double)figures->refills);
  }
}

static void check_free(struct examination *at) {
  const midden_statistics *figures = &at->figures;
  if (figures->free_bytes < (size_t)16 << 20 || figures->free_bytes < figures->span_bytes) return;
  finding(at, "%.1f MiB are free and not yet given back to the system, more than all spans hold (%.1f MiB). midden_trim "
           "gives them back at once.\n", MIB(figures->free_bytes), MIB(figures->span_bytes));
}

static void check_mark_stack(struct examination *at) {
  if (at->figures.mark_stack_rescans == 0) return;
  finding(at, "The mark stack could not grow %llu times, and the heap was scanned again: the system is out of memory. Lower "
           "heap-limit.\n", (unsigned long long)at->figures.mark_stack_rescans);
}

size_t midden_doctor(midden_heap *heap, char *text, size_t capacity) {
  if (heap_enter(heap) != MIDDEN_OK) return 0;
  static void (*const rules[])(struct examination *) = {check_time,         check_heap_limit, check_fragmentation, check_pin_cost,
                                                        check_room_to_copy, check_sizes, check_free,          check_mark_stack};
  struct examination at = {.heap = heap, .text = text, .capacity = capacity};
  midden_statistics_read(heap, &at.figures);
  for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) rules[i](&at);
  if (at.length == 0) finding(&at, "Nothing is wrong with the heap.\n");
  return at.length;
}
