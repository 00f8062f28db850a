/* The slow path of allocation: stress, pacing, refill, emergency. */
#include <string.h>

#include "alloc/watch.h"
#include "base/assertion.h"
#include "base/probes.h"
#include "gc/remembered.h"
#include "heap/heap.h"

static void *fail(struct mutator *mutator, midden_status status) {
  mutator->last_status = status;
  return NULL;
}

/* Collections that are due before anything is handed out. */
static void collect_if_due(midden_heap *heap) {
  if (heap->config.stress != MIDDEN_STRESS_OFF) {
    if (mdn_stress_due(heap)) mdn_heap_collect(heap, CAUSE_STRESS, mdn_pacing_minor(heap, CAUSE_STRESS));
  }
  if (heap->pacing.allocated >= heap->pacing.threshold && heap_collects_itself(heap)) {
    mdn_heap_collect(heap, CAUSE_PACING, mdn_pacing_minor(heap, CAUSE_PACING));
  }
}

void mdn_collect_if_due(midden_heap *heap, size_t size) {
  collect_if_due(heap);
  /* What is large counts before it is made: it may be what reaches the threshold. */
  if (heap->pacing.allocated + size > heap->pacing.threshold && heap->pacing.allocated > heap->pacing.threshold / 2 &&
      heap_collects_itself(heap)) {
    mdn_heap_collect(heap, CAUSE_PACING, mdn_pacing_minor(heap, CAUSE_PACING));
  }
}

/* What is handed out at a time is zeroed at a time: more than this would push itself out of the first-level cache. */
#define RUN_BYTES ((uint64_t)16 << 10)

static inline size_t most_cells(const struct mutator *mutator, const struct central *central) {
  /* Under stress, and where memory is watched, a run is one cell, so that every allocation comes through here. */
  bool single = mutator->heap->config.stress != MIDDEN_STRESS_OFF || space_is_watched(&mutator->core->space);
  size_t most = single ? 1 : (RUN_BYTES * mdn_class_reciprocal[central->size_class]) >> 32;
  return size_maximum(most, 1);
}

static inline bool take_run(struct mutator *mutator, struct central *central, size_t size, void *taken) {
  (void)size;
  return mdn_central_take(&mutator->core->space, central, most_cells(mutator, central), taken);
}

/* The same where observers may want it shorter. */
static bool take_watched_run(struct mutator *mutator, struct central *central, size_t size, void *taken) {
  (void)size;
  size_t most = mdn_observers_most(mutator->heap, mutator, central);
  return mdn_central_take(&mutator->core->space, central, size_minimum(most, most_cells(mutator, central)), taken);
}

/* When no page can be had: a cell of a larger class of the same kind, of at most `most_size` bytes. Without it, a
 * heap whose survivors are spread over the spans of many classes would collect, or fail, while most of its cells
 * are free. (TCMalloc and Go have no such step; they may grow.) post: NULL if there is none. */
static void *borrow_cell(struct mutator *mutator, struct central *central, size_t most_size) {
  midden_heap *heap = mutator->heap;
  const struct kind *kind = &heap->core.kinds.kinds[central->kind];
  if (kind->fixed_size) return NULL;
  for (unsigned class = central->size_class + 1u; class < SIZE_CLASS_LARGE; class++) {
    struct central *larger = kind_central(kind, class);
    if (midden_class_size[class] > most_size) return NULL;
    if (!larger->available || midden_class_size[class] % kind->alignment != 0) continue;
    struct run run;
    if (!mdn_central_take_available(&heap->core.space, larger, 1, &run)) continue;
    heap->figures.refills++;
    heap->pacing.allocated += larger->cell_size;
    return run.start;
  }
  return NULL;
}

/* When the list has no run and no page can be had: a run after a collection, or a cell that is borrowed, before the
 * collection one that is not much too large. A refusal because of collect-share stands. post: whether *run is taken;
 * if not, *cell, NULL if nothing helped. */
static bool take_or_borrow(struct mutator *mutator, struct central *central, struct run *run, void **cell) {
  midden_heap *heap = mutator->heap;
  uint64_t refusals = heap->figures.share_refusals;
  midden_status before = mutator->last_status;
  taking_function take = heap->caution & CAUTION_WATCHED ? take_watched_run : take_run;
  if (heap->caution == CAUTION_WATCHED && take_watched_run(mutator, central, 0, run)) return true;
  *cell = heap->caution & CAUTION_SHARE ? NULL : borrow_cell(mutator, central, 2 * (size_t)central->cell_size);
  if (*cell) return false;
  if (mdn_take_or_collect(mutator, central, 0, take, run)) return true;
  if (heap->figures.share_refusals == refusals) *cell = borrow_cell(mutator, central, SIZE_CLASS_LARGEST);
  if (*cell) mutator->last_status = before;
  return false;
}

/* The same, and observers see what was taken. */
static bool take_carefully(struct mutator *mutator, struct central *central, struct run *run, void **cell) {
  midden_heap *heap = mutator->heap;
  bool watched = heap->caution & CAUTION_WATCHED, holds_one = mutator->face.cursors[central->cursor].limit;
  /* Observers know when all runs are given back, and would not know of the one that makes room for this. */
  if (watched && !holds_one && mutator->runs.count == RUNS_HELD_MOST) mdn_heap_flush(heap);
  bool taken = take_or_borrow(mutator, central, run, cell);
  if (!watched) return taken;
  if (taken) {
    mdn_observers_refilled(heap, mutator, central, run->start, run->cells);
  } else if (*cell) {
    mdn_observers_refilled(heap, mutator, space_span_of(&heap->core.space, (uintptr_t)*cell)->central, *cell, 0);
  }
  return taken;
}

/* ---- the ways of allocating ----
 *
 * These are named like what other files know: they may be the outermost frames of this library on the stack of an
 * allocation, where calls from one to the next are jumps, and the allocation profile knows its own frames by name. */

static void *mdn_refill(struct mutator *mutator, struct central *central, midden_cursor *cursor) {
  midden_heap *heap = mutator->heap;
  struct run run;
  void *cell;
  /* Tried here first, where it is inlined. */
  bool taken = !heap->caution && take_run(mutator, central, 0, &run);
  if (!taken && !take_carefully(mutator, central, &run, &cell)) return cell;
  core_activate(&heap->core, central);
  heap->figures.refills++;
  heap->figures.page_heap_refills += run.new_span;
  heap->pacing.allocated += (size_t)(run.end - run.start);
  if (!cursor->limit) { /* or else it holds one of the list, used up */
    size_t given_back = mdn_core_hold_run(mutator, central);
    heap->pacing.allocated -= size_minimum(given_back, heap->pacing.allocated);
  }
  cursor->next = run.start + central->cell_size;
  cursor->limit = run.end;
  probe_refill(heap, central->kind, central->cell_size, (size_t)(run.end - run.start));
  return run.start;
}

static void *mdn_allocate_small(struct mutator *mutator, struct central *central) {
  midden_heap *heap = mutator->heap;
  midden_cursor *cursor = &mutator->face.cursors[central->cursor];
  /* There may be a run: requests that the inlined path does not know (above its table, or with another
   * class for their alignment) come here with one. */
  if ((size_t)(cursor->limit - cursor->next) >= central->cell_size) {
    char *cell = cursor->next;
    cursor->next += central->cell_size;
    return cell;
  }
  collect_if_due(heap);
  return mdn_refill(mutator, central, cursor);
}

static bool take_large(struct mutator *mutator, struct central *central, size_t size, void *taken) {
  struct span *span = mdn_central_take_large(&mutator->core->space, central, size);
  *(struct span **)taken = span;
  return span != NULL;
}

static void *mdn_allocate_large(struct mutator *mutator, struct central *central, size_t size) {
  midden_heap *heap = mutator->heap;
  if (size > heap->config.heap_limit) return fail(mutator, MIDDEN_NO_MEMORY);
  mdn_collect_if_due(heap, size);
  struct span *span;
  if (!mdn_take_or_collect(mutator, central, size, take_large, &span)) return NULL;
  core_activate(&heap->core, central);
  heap->figures.refills++;
  heap->figures.page_heap_refills++;
  heap->figures.large_allocations++;
  heap->figures.large_bytes += span->cell_size;
  heap->pacing.allocated += span->cell_size;
  probe_refill(heap, central->kind, span->cell_size, span->cell_size);
  if (heap->caution & CAUTION_WATCHED) mdn_observers_refilled(heap, mutator, central, (void *)span->start, 0);
  return (void *)span->start;
}

/* The kind of a handle, or NULL and the mutator's status if the call may not go on. */
static const struct kind *enter(midden_mutator *face, unsigned kind_id, unsigned cursor) {
  struct mutator *mutator = mutator_of(face);
  midden_heap *heap = mutator->heap;
  if (mutator_enter(face) != MIDDEN_OK || heap->in_callback) {
    mutator->last_status = MIDDEN_MISUSE;
    return NULL;
  }
  const struct kind_table *table = &heap->core.kinds;
  const struct kind *kind = kind_id > 0 && kind_id < table->count ? &table->kinds[kind_id] : NULL;
  if (!kind || kind->cursor != cursor) {
    mutator->last_status = MIDDEN_BAD_ARGUMENT;
    return NULL;
  }
  return kind;
}

void midden_written_slow(midden_mutator *face, const void *object, const void *first, size_t count) {
  struct core *core = mutator_of(face)->core;
  if (count > 0) mdn_remember(core, (uintptr_t)object, (uintptr_t)first, count * sizeof(midden_word));
}

/* An object of `size` bytes, by the way that its size and kind ask for. */
static void *allocate_cell(struct mutator *mutator, const struct kind *kind, size_t size) {
  if (kind->fixed_size) {
    if (kind->first_class == SIZE_CLASS_LARGE) return mdn_allocate_large(mutator, kind->centrals, kind->size);
    return mdn_allocate_small(mutator, kind->centrals);
  }
  if (size > SIZE_CLASS_LARGEST) return mdn_allocate_large(mutator, kind_central(kind, SIZE_CLASS_LARGE), size);
  return mdn_allocate_small(mutator, kind_central(kind, mdn_class_of_aligned(size, kind->alignment)));
}

static void *mdn_allocate(struct mutator *mutator, const struct kind *kind, size_t size) {
  void *cell = allocate_cell(mutator, kind, size);
  const struct space *space = &mutator->core->space;
  if (space_is_watched(space) && cell) mdn_watch_cell_taken(space, (uintptr_t)cell, size, !(kind->flags & MIDDEN_KIND_UNZEROED));
  return cell;
}

/* The same for a kind with a finalizer, which is registered. */
static void *mdn_allocate_finalized(struct mutator *mutator, const struct kind *kind, size_t size) {
  struct core *core = mutator->core;
  struct finalizer *finalizer = mdn_finalizer_take(&core->finalizers, &core->arena);
  if (!finalizer) return fail(mutator, MIDDEN_NO_MEMORY);
  void *cell = mdn_allocate(mutator, kind, size);
  if (!cell) {
    mdn_finalizer_give(&core->finalizers, finalizer);
    return NULL;
  }
  *finalizer = (struct finalizer){.object = weak_word_of(&core->form, (uintptr_t)cell),
                                  .function = kind->finalizer,
                                  .context = kind->finalizer_context,
                                  .ordered = kind->flags & MIDDEN_KIND_FINALIZER_ORDERED};
  mdn_finalizer_register(&core->finalizers, finalizer);
  return cell;
}

void *midden_alloc_slow(midden_mutator *face, unsigned kind_id, unsigned cursor) {
  struct mutator *mutator = mutator_of(face);
  const struct kind *kind = enter(face, kind_id, cursor);
  if (!kind) return NULL;
  if (!kind->fixed_size) return fail(mutator, MIDDEN_BAD_ARGUMENT);
  return kind->finalizer ? mdn_allocate_finalized(mutator, kind, kind->size) : mdn_allocate(mutator, kind, kind->size);
}

void *midden_alloc_sized_slow(midden_mutator *face, unsigned kind_id, unsigned cursor, size_t size) {
  struct mutator *mutator = mutator_of(face);
  const struct kind *kind = enter(face, kind_id, cursor);
  if (!kind) return NULL;
  if (kind->fixed_size) {
    return size <= kind->size ? midden_alloc_slow(face, kind_id, cursor) : fail(mutator, MIDDEN_BAD_ARGUMENT);
  }
  void *cell = kind->finalizer ? mdn_allocate_finalized(mutator, kind, size) : mdn_allocate(mutator, kind, size);
  if (cell) face->requested += size;
  return cell;
}
