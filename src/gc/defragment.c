/* Defragmenting: see defragment.h.
 *
 * What lives is known after marking, so which spans are emptied is decided then: the emptiest first, as long as the
 * gaps of the spans that stay have room for what they hold, and the budget lasts. A span in which anything is pinned
 * stays. Copies go into gaps only, so no span is needed for them and a heap at its limit can be defragmented too. The
 * sweep between marking and moving makes the gaps: alloc bits are exact then, and pins are not needed any more. */
#include "gc/defragment.h"

#include "base/assertion.h"
#include "gc/evacuate.h"
#include "gc/fix.h"
#include "gc/free_hooks.h"
#include "gc/sweep.h"
#include "midden/debug.h"

/* ---- the choice ---- */

static uint32_t count_marked(const struct space *space, const struct span *span) {
  const uint64_t *mark = span_bits(space, span, space->mark_bits);
  uint32_t count = 0;
  for (size_t word = 0; word < span_words(span); word++) count += bits_count(mark[word]);
  return count;
}

/* Which of two is emptied first: the emptier one, by quarters; of those that are about as full, the one at the higher
 * address, so that what stays lies together at the bottom, and the tables beside the cells shrink with the heap. */
static bool emptied_first(const struct span *a, const struct span *b) {
  uint32_t quarter_a = 4 * a->live / a->cells, quarter_b = 4 * b->live / b->cells;
  return quarter_a != quarter_b ? quarter_a < quarter_b : a->first_page > b->first_page;
}

static struct span *merge_spans(struct span *a, struct span *b) {
  struct span *first = NULL, **last = &first;
  while (a && b) {
    struct span **least = emptied_first(b, a) ? &b : &a;
    *last = *least;
    last = &(*least)->next_source;
    *least = *last;
  }
  *last = a ? a : b;
  return first;
}

/* Merge sort, bottom up: needs no memory. */
static struct span *sort_spans(struct span *list) {
  struct span *runs[32] = {NULL}; /* runs[i]: 2^i of them, or none */
  while (list) {
    struct span *run = list;
    list = list->next_source;
    run->next_source = NULL;
    size_t i = 0;
    for (; runs[i]; i++) {
      run = merge_spans(runs[i], run);
      runs[i] = NULL;
    }
    runs[i] = run;
  }
  for (size_t i = 0; i < 32; i++) list = merge_spans(runs[i], list);
  return list;
}

/* The spans of one list that could be emptied, before those gathered so far; and its free cells. What holds nothing
 * alive is no gap: it goes as a whole. */
static struct span *gather_spans(const struct space *space, struct central *central, struct span *candidates) {
  for (struct span *span = central->first; span; span = span->next) {
    span->live = count_marked(space, span);
    if (span->live == 0) continue;
    central->gaps += span->cells - span->live;
    if (span->pinned) continue;
    span->next_source = candidates;
    candidates = span;
  }
  return candidates;
}

static struct span *candidates_of(struct core *core) {
  struct span *candidates = NULL;
  for (struct central *central = core->active; central; central = central->next_active) {
    central->gaps = 0;
    if (!central->movable || central->size_class == SIZE_CLASS_LARGE) continue;
    candidates = gather_spans(&core->space, central, candidates);
  }
  return sort_spans(candidates);
}

/* Flags the spans to be emptied. post: they are linked, the last chosen first. */
static struct span *choose_sources(struct core *core) {
  struct defragment *defragment = &core->defragment;
  struct span *sources = NULL, *next;
  size_t moved = 0;
  for (struct span *span = candidates_of(core); span; span = next) {
    next = span->next_source;
    /* Its own gaps go, and its live cells take as many more: together, all its cells. */
    if (span->central->gaps < span->cells) continue;
    size_t bytes = span->live * span->cell_size;
    if (defragment->budget == 0 || (moved > 0 && moved + bytes > defragment->budget)) {
      defragment->more = true;
      break;
    }
    moved += bytes;
    span->central->gaps -= span->cells;
    mdn_space_set_flag(&core->space, span, PAGE_EVACUATE, true);
    span->next_source = sources;
    sources = span;
  }
  return sources;
}

/* ---- moving ---- */

static void empty_cell(void *context, struct span *span, uintptr_t cell) {
  struct core *core = context;
  (void)span;
  CHECK(evacuate(core, space_page_entry(&core->space, cell), cell));
  bitmap_clear(core->space.mark_bits, space_granule(&core->space, cell));
}

static void empty_spans(struct core *core, struct span *sources) {
  core->gaps_only = true;
  for (struct span *span = sources; span; span = span->next_source) mdn_central_withdraw(span->central, span);
  for (struct span *span = sources; span; span = span->next_source) {
    span_each(&core->space, span, core->space.mark_bits, empty_cell, core);
  }
  core->gaps_only = false;
}

/* All of an emptied span has gone. */
static uintptr_t address_of_copy(const struct core *core, uintptr_t cell) {
  (void)core;
  return forwarding_address(cell);
}

static void fix_remaining_cell(void *context, struct span *span, uintptr_t cell) {
  struct fixer *fixer = context;
  const struct kind *kind = &fixer->core->kinds.kinds[span->kind];
  if (fixer->core->form.plain) {
    fix_object(fixer, kind, cell, span->cell_size, true, address_of_copy);
  } else {
    fix_object(fixer, kind, cell, span->cell_size, false, address_of_copy);
  }
}

static void fix_all(struct fixer *fixer) {
  struct space *space = &fixer->core->space;
  for (struct central *central = fixer->core->active; central; central = central->next_active) {
    if (central->map_flags & PAGE_LEAF) continue;
    for (struct span *span = central->first; span; span = span->next) {
      span_each(space, span, space->mark_bits, fix_remaining_cell, fixer);
    }
  }
  mdn_fixer_fix_roots(fixer);
}

/* Under poison=yes: the forwarding words too. */
static void poison_source(const struct span *span) {
  midden_word *words = (midden_word *)span->start;
  size_t bytes = size_minimum((size_t)span->zero_from << GRANULE_SHIFT, span->cells * span->cell_size);
  for (size_t i = 0; i < bytes / sizeof *words; i++) words[i] = MIDDEN_POISON_EVACUATED;
}

static void release_sources(struct core *core, struct span *sources) {
  for (struct span *span = sources, *next; span; span = next) {
    struct central *central = span->central;
    next = span->next_source;
    if (core->poison) poison_source(span);
    central_count_used(&core->space, central, -(size_t)span->used, -(size_t)span->used * span->cell_size);
    mdn_central_remove(central, span);
    mdn_space_give_span(&core->space, span);
    core->figures.spans_emptied++;
  }
}

/* Taking gaps has put spans among those that may hold young objects; copies are as old as what they are copies of. */
static void forget_touched(struct space *space) {
  for (struct span *span = space->touched; span; span = span->next_touched) span->touched = false;
  space->touched = NULL;
}

static void defragment_collect(const struct collection *collection) {
  struct core *core = collection->core;
  struct fixer fixer;
  mdn_tracer_begin(collection);
  mdn_tracer_mark_all(collection);
  mdn_tracer_end(&core->tracer);
  mdn_free_dead(core, false);
  core->no_room = false;
  core->defragment.refused = !mdn_fixer_open(&fixer, core, address_of_copy);
  struct span *sources = core->defragment.refused ? NULL : choose_sources(core);
  mdn_sweep(core, MIDDEN_POISON_SWEPT, false);
  if (sources) {
    step_begin(&core->steps, STEP_MOVE);
    empty_spans(core, sources);
    fix_all(&fixer);
    mdn_evacuation_end(core, false);
    release_sources(core, sources);
    forget_touched(&core->space);
  }
  if (!core->defragment.refused) mdn_fixer_close(&fixer);
}

const struct collector mdn_defragmenter = {
    .name = "defragment",
    .summary = "marks in place, and empties spans into others' gaps",
    .capabilities = COLLECTOR_COLLECTS | COLLECTOR_MOVES,
    .collect = defragment_collect,
};
