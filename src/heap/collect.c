/* Collecting: entry, registers, hooks, what is measured and logged. */
#include <errno.h>
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
  if (heap->caution & CAUTION_WATCHED) mdn_observers_flushing(heap);
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
  if (!target || (fprintf(target, "%s\n", line) >= 0 && fflush(target) == 0) || target == stderr) return;
  fprintf(stderr, "midden: option log: writing to \"%s\" failed: %s: it ends here\n", heap->config.log, strerror(errno));
  fclose(target);
  heap->log = NULL;
}

const char *mdn_cause_name(enum cause cause) {
  static const char *const names[] = {"pacing", "request", "stress", "emergency", "paced"};
  return names[cause];
}

/* What a collection is called with, through mdn_registers_call. */
struct attempt {
  midden_heap *heap;
  const struct collector *collector;
  enum cause cause;
  bool minor;
  midden_status status;
};

static void measure(midden_heap *heap, const struct collected *collected) {
  struct heap_figures *figures = &heap->figures;
  uint64_t pause_ns = collected->ended - collected->began;
  figures->collections++;
  figures->minor_collections += collected->minor;
  figures->emergency_collections += collected->cause == CAUSE_EMERGENCY;
  figures->stress_collections += collected->cause == CAUSE_STRESS;
  if (collected->cause == CAUSE_STRESS) {
    figures->stress_moved += collected->moved;
    figures->stress_pinned += collected->pinned;
  }
  figures->requested_collections += collected->cause == CAUSE_REQUEST || collected->cause == CAUSE_PACED;
  figures->total_pause_ns += pause_ns;
  figures->last_pause_ns = pause_ns;
  histogram_count(&figures->pauses[collected->minor], pause_ns);
  if (pause_ns > figures->longest_pause_ns) figures->longest_pause_ns = pause_ns;
  size_t live = heap->core.figures.live_bytes;
  figures->fragmentation = live ? (double)mdn_heap_committed(heap) / (double)live : 0;
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

static void report_cycles(midden_heap *heap, uint64_t cycles) {
  if (cycles == 0) return;
  mdn_heap_report(heap, false, "midden: ordered finalizers: %llu cycles of objects that reach each other: of each, "
                              "the one registered first is finalized first",
                  (unsigned long long)cycles);
}

/* The pause: from here on to the last page that is given back. */
static void collect_and_measure(midden_heap *heap, const struct collector *collector, struct collected *collected) {
  struct core *core = &heap->core;
  const struct core_figures before = core->figures;
  core->steps.count = 0;
  probe_collection_begin(heap, collected->number, collected->minor, (int)collected->cause);
  step_begin(&core->steps, STEP_PREPARE);
  collected->began = core->space.now = core->steps.starts[0].at;
  /* Who asks for a collection, or needs its memory, gets all that can be had; but who asks for what is due, just that. */
  bool thorough = collected->cause == CAUSE_REQUEST || collected->cause == CAUSE_EMERGENCY;
  core->dense_percent = thorough ? 100 : heap->config.dense_span;
  core->minor = collected->minor;
  collector->collect(collected->collection);
  collected->pinned = core->figures.objects_pinned - before.objects_pinned;
  collected->moved = core->figures.objects_moved - before.objects_moved;
  if (collected->moved) count_epoch(core);
  mdn_external_charge(heap);
  step_begin(&core->steps, STEP_RETURN);
  collected->ended = mdn_os_clock();
  if (collected->ended > RETURN_DELAY_NS) {
    mdn_space_return(&core->space, collected->ended - RETURN_DELAY_NS, !collected->minor);
    collected->ended = mdn_os_clock();
  }
  step_end(&core->steps);
  probe_collection_end(heap, collected->number, collected->ended - collected->began, core->figures.live_bytes);
  measure(heap, collected);
  mdn_pacing_after(heap, collected->minor, collected->ended - collected->began);
  report_cycles(heap, core->figures.finalizer_cycles - before.finalizer_cycles);
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
  if (heap->caution & CAUTION_WATCHED) mdn_observers_flushing(heap);
  mdn_core_flush(core);
  mdn_heap_open_cells(heap);
  struct collected collected = {.collection = &collection,
                                .collector = attempt->collector->name,
                                .cause = attempt->cause,
                                .minor = attempt->minor,
                                .number = heap->figures.collections + 1,
                                .used_before = core->space.totals.used_bytes};
  attempt->status = mdn_observers_before(heap, &collected);
  if (attempt->status == MIDDEN_OK) {
    collect_and_measure(heap, attempt->collector, &collected);
    attempt->status = mdn_observers_after(heap, &collected);
  } else { /* what is broken must not be moved about */
    heap->pacing.allocated = 0;
    heap->pacing.refused = false;
  }
  mdn_heap_close_cells(heap);
  heap->collecting = false;
}

/* Not inlined, like others below: their frames are in the part of the stack that midden_collect and midden_defragment wipe. */
static __attribute__((noinline)) midden_status collect_with(midden_heap *heap, const struct collector *collector,
                                                            enum cause cause, bool minor) {
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

__attribute__((noinline)) midden_status mdn_heap_collect(midden_heap *heap, enum cause cause, bool minor) {
  minor = minor && heap->core.generational && !heap->core.remembered.overflowed;
  if (minor) return collect_with(heap, heap->collector, cause, true);
  const struct collector *collector = choose(heap);
  midden_status status = collect_with(heap, collector, cause, false);
  if (collector == heap->collector) heap->shredded = is_shredded(heap);
  if (status != MIDDEN_OK) return status;
  if (cause != CAUSE_REQUEST && cause != CAUSE_STRESS) mdn_share_count(heap);
  mdn_pressure_after_collection(heap);
  return status;
}

midden_status mdn_heap_collect_last_resort(midden_heap *heap) {
  const char *name = heap->collector->last_resort;
  return collect_with(heap, name ? mdn_collector_named(name) : NULL, CAUSE_EMERGENCY, false);
}

static __attribute__((noinline)) midden_status defragment_heap(midden_heap *heap, size_t budget, bool *more) {
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

midden_status midden_defragment(midden_mutator *face, size_t budget, bool *more) {
  if (mutator_enter(face) != MIDDEN_OK || mutator_of(face)->heap->in_callback) return MIDDEN_MISUSE;
  mdn_stacks_wipe();
  return defragment_heap(mutator_of(face)->heap, budget, more);
}

midden_status midden_collect(midden_mutator *face, midden_collection collection) {
  if (mutator_enter(face) != MIDDEN_OK || mutator_of(face)->heap->in_callback) return MIDDEN_MISUSE;
  midden_heap *heap = mutator_of(face)->heap;
  if ((unsigned)collection > MIDDEN_PACED) return MIDDEN_BAD_ARGUMENT;
  enum cause cause = collection == MIDDEN_PACED ? CAUSE_PACED : CAUSE_REQUEST;
  mdn_stacks_wipe();
  return mdn_heap_collect(heap, cause, collection == MIDDEN_MINOR);
}

bool midden_collection_due(const midden_mutator *face) {
  if (mutator_enter(face) != MIDDEN_OK) return false;
  const midden_heap *heap = mutator_of(face)->heap;
  const struct pacing *pacing = &heap->pacing;
  return heap->collector->collect && (pacing->allocated >= pacing->threshold || pacing->refused);
}
