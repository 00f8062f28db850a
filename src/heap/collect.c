/* Collecting: entry, registers, hooks, what is measured and logged. */
#include <stdarg.h>
#include <string.h>

#include "base/assertion.h"
#include "base/os.h"
#include "gc/defragment.h"
#include "heap/heap.h"
#include "roots/registers.h"

/* Free pages that were not reused for this long go back to the system at the next collection. */
#define RETURN_DELAY_NS UINT64_C(500000000)

void mdn_heap_flush(midden_heap *heap) {
  size_t bytes = mdn_core_flush(&heap->core);
  heap->pacing.allocated -= size_minimum(bytes, heap->pacing.allocated);
}

void mdn_heap_report(midden_heap *heap, bool always, const char *format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (heap->config.report) {
    heap->config.report(heap->config.report_context, line);
    return;
  }
  FILE *target = heap->log ? heap->log : always ? stderr : NULL;
  if (target) {
    fprintf(target, "%s\n", line);
    fflush(target);
  }
}

static const char *cause_name(enum cause cause) {
  static const char *const names[] = {"pacing", "request", "stress", "emergency"};
  return names[cause];
}

/* One collection, while it runs. */
struct attempt {
  midden_heap *heap;
  const struct collector *collector;
  enum cause cause;
  bool minor;
  midden_status status;
};

static void measure(midden_heap *heap, const struct attempt *attempt, uint64_t pause_ns) {
  enum cause cause = attempt->cause;
  struct heap_figures *figures = &heap->figures;
  figures->collections++;
  figures->minor_collections += attempt->minor;
  figures->emergency_collections += cause == CAUSE_EMERGENCY;
  figures->stress_collections += cause == CAUSE_STRESS;
  figures->requested_collections += cause == CAUSE_REQUEST;
  figures->total_pause_ns += pause_ns;
  figures->last_pause_ns = pause_ns;
  if (pause_ns > figures->longest_pause_ns) figures->longest_pause_ns = pause_ns;
  size_t live = heap->core.figures.live_bytes;
  figures->fragmentation = live ? (double)mdn_heap_committed(heap) / (double)live : 0;
}

static void log_collection(midden_heap *heap, const struct attempt *attempt, size_t before, uint64_t pinned_before) {
  if (!heap->log && !heap->config.report) return;
  if (strcmp(heap->config.log, "off") == 0) return;
  const struct core_figures *figures = &heap->core.figures;
  mdn_heap_report(heap, false,
                  "midden: collection %llu %s %s %s: %zu -> %zu bytes, %zu objects, %llu pinned, pause %.3f ms",
                  (unsigned long long)heap->figures.collections, attempt->collector->name,
                  attempt->minor ? "minor" : "full", cause_name(attempt->cause), before,
                  figures->live_bytes, figures->live_objects,
                  (unsigned long long)(figures->objects_pinned - pinned_before),
                  (double)heap->figures.last_pause_ns / 1e6);
}

static size_t used_bytes(const struct core *core) {
  size_t bytes = 0;
  for (const struct central *central = core->active; central; central = central->next_active) {
    bytes += central->used_bytes;
  }
  return bytes;
}

/* A host that switched stacks without saying so: its references would be missed. */
static bool stacks_covered(const struct core *core, const char *stack_pointer) {
  if (!core->conservative) return true;
  for (const struct mutator *mutator = core->mutators; mutator; mutator = mutator->next) {
    if (!mdn_stacks_covers(&mutator->stacks, stack_pointer)) return false;
  }
  return true;
}

/* Addresses have changed: whoever has hashed one must know. */
static void count_epoch(struct core *core) {
  core->moved_epoch++;
  for (struct mutator *mutator = core->mutators; mutator; mutator = mutator->next) {
    mutator->face.moved_epoch = core->moved_epoch;
  }
}

static midden_status run_hook(midden_heap *heap, collection_hook hook) {
  return hook ? hook(heap) : MIDDEN_OK;
}

static __attribute__((noinline)) void collect_with_registers(void *context, const midden_word *registers,
                                                             size_t count) {
  struct attempt *attempt = context;
  midden_heap *heap = attempt->heap;
  struct core *core = &heap->core;
  struct collection collection = {core, __builtin_frame_address(0), registers, count, attempt->minor};
  if (!stacks_covered(core, collection.stack_pointer)) {
    mdn_heap_report(heap, true, "midden: no collection: the running stack is none that the mutator was attached on or "
                                "switched to (see midden_stack_switch)");
    attempt->status = MIDDEN_MISUSE;
    return;
  }
  heap->collecting = true;
  mdn_core_flush(core);
  attempt->status = run_hook(heap, heap->before_collection);
  if (attempt->status != MIDDEN_OK) { /* what is broken must not be moved about */
    heap->pacing.allocated = 0;
    heap->collecting = false;
    return;
  }
  size_t before = heap->log ? used_bytes(core) : 0;
  uint64_t pinned_before = core->figures.objects_pinned, cycles_before = core->figures.finalizer_cycles;
  core->space.now = mdn_os_clock();
  uint64_t moved_before = core->figures.objects_moved;
  /* Who asks for a collection, or needs its memory, gets all that can be had. */
  bool thorough = attempt->cause == CAUSE_REQUEST || attempt->cause == CAUSE_EMERGENCY;
  core->dense_percent = thorough ? 100 : heap->config.dense_span;
  attempt->collector->collect(&collection);
  if (core->figures.objects_moved != moved_before) count_epoch(core);
  mdn_external_charge(heap);
  uint64_t end = mdn_os_clock();
  uint64_t pause_ns = end - core->space.now;
  if (end > RETURN_DELAY_NS) mdn_space_return(&core->space, end - RETURN_DELAY_NS, !attempt->minor);
  measure(heap, attempt, pause_ns);
  mdn_pacing_after(heap, attempt->minor, pause_ns);
  midden_status after = run_hook(heap, heap->after_collection);
  if (attempt->status == MIDDEN_OK) attempt->status = after;
  heap->collecting = false;
  log_collection(heap, attempt, before, pinned_before);
  if (core->figures.finalizer_cycles > cycles_before) {
    mdn_heap_report(heap, false, "midden: ordered finalizers: %llu cycles of objects that reach each other: of each, "
                                "the one registered first is finalized first",
                    (unsigned long long)(core->figures.finalizer_cycles - cycles_before));
  }
}

static midden_status collect_with(midden_heap *heap, const struct collector *collector, enum cause cause, bool minor) {
  if (!collector || !collector->collect) return MIDDEN_UNSUPPORTED;
  struct attempt attempt = {heap, collector, cause, minor, MIDDEN_OK};
  mdn_registers_call(collect_with_registers, &attempt);
  return attempt.status;
}

static size_t free_bytes(const midden_heap *heap) {
  return page_heap_room(&heap->core.space.pages) << PAGE_SHIFT;
}

/* Whether survivors that were left in place, for want of room to copy them, keep half of the pages that
 * should be free. Collecting in the same way again would free little each time. */
static bool is_shredded(const midden_heap *heap) {
  size_t blocks, bytes, pages, live = heap->core.figures.live_bytes;
  mdn_blocks_count(&heap->core.blocks, &blocks, &bytes, &pages);
  size_t limit = (page_heap_limit(&heap->core.space.pages) << PAGE_SHIFT) - (pages << PAGE_SHIFT);
  return heap->core.no_room && live < limit && free_bytes(heap) < (limit - live) / 2;
}

/* The collector for a full collection: the last resort if the heap is shredded and there is still no room. */
static const struct collector *choose(midden_heap *heap) {
  const char *name = heap->collector->last_resort;
  if (!name || !heap->shredded || free_bytes(heap) >= heap->core.figures.live_bytes) return heap->collector;
  const struct collector *last_resort = mdn_collector_named(name);
  return last_resort ? last_resort : heap->collector;
}

midden_status mdn_heap_collect(midden_heap *heap, enum cause cause, bool minor) {
  minor = minor && heap->core.generational && !heap->core.remembered.overflowed;
  if (minor) return collect_with(heap, heap->collector, cause, true);
  const struct collector *collector = choose(heap);
  midden_status status = collect_with(heap, collector, cause, false);
  if (collector == heap->collector) heap->shredded = is_shredded(heap);
  if (status != MIDDEN_OK) return status;
  if (cause == CAUSE_PACING || cause == CAUSE_EMERGENCY) mdn_share_count(heap);
  mdn_pressure_after_collection(heap);
  return status;
}

midden_status mdn_heap_collect_last_resort(midden_heap *heap) {
  const char *name = heap->collector->last_resort;
  return collect_with(heap, name ? mdn_collector_named(name) : NULL, CAUSE_EMERGENCY, false);
}

midden_status midden_defragment(midden_mutator *face, size_t budget, bool *more) {
  if (mutator_enter(face) != MIDDEN_OK || mutator_of(face)->heap->in_callback) return MIDDEN_MISUSE;
  midden_heap *heap = mutator_of(face)->heap;
  struct defragment *defragment = &heap->core.defragment;
  if (!heap->collector->collect) return MIDDEN_UNSUPPORTED;
  *defragment = (struct defragment){.budget = budget};
  midden_status status = collect_with(heap, &mdn_defragmenter, CAUSE_REQUEST, false);
  if (status != MIDDEN_OK) return status;
  heap->shredded = false;
  mdn_pressure_after_collection(heap);
  if (defragment->refused) return MIDDEN_NO_MEMORY;
  if (more) *more = defragment->more;
  return MIDDEN_OK;
}

midden_status midden_collect(midden_mutator *face, midden_collection collection) {
  if (mutator_enter(face) != MIDDEN_OK || mutator_of(face)->heap->in_callback) return MIDDEN_MISUSE;
  midden_heap *heap = mutator_of(face)->heap;
  if ((unsigned)collection > MIDDEN_FULL) return MIDDEN_BAD_ARGUMENT;
  return mdn_heap_collect(heap, CAUSE_REQUEST, collection == MIDDEN_MINOR);
}
