/* Guard mode: pages that objects have left become inaccessible (alloc/quarantine.h), and of each object that moves or
 * dies a record is kept (history.h), so that a fault can be told what the pointer once led to.
 *
 * What becomes of an object is known at two moments of a collection (struct move_watch). Some collectors have cleared
 * the alloc bits of what they copied by then, so the bits are copied before. */
#include "debug/guard.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/os_program.h"
#include "debug/installers.h"
#include "debug/stack_text.h"
#include "roots/backtrace.h"

#define REPORT_FRAMES 24

static struct guard *guard_of(struct observer *observer) { return (struct guard *)observer; }
static struct guard *guard_of_watch(struct move_watch *watch) {
  return (struct guard *)((uintptr_t)watch - offsetof(struct guard, watch));
}

/* ---- what becomes of objects ---- */

static void record(struct guard *guard, const struct span *span, uintptr_t cell, uintptr_t to) {
  const struct core *core = &guard->heap->core;
  const uint64_t *site = mdn_address_find(&core->sites.table, cell);
  mdn_history_add(&guard->history, &(struct passing){.from = cell,
                                                     .to = to,
                                                     .size = span->cell_size,
                                                     .site = site ? *site : 0,
                                                     .collection = guard->collected->number,
                                                     .collector = guard->collected->collector,
                                                     .kind = span->kind});
}

static void remember_span(const struct guard *guard, const struct space *space, const struct span *span) {
  memcpy(span_bits(space, span, guard->before), span_bits(space, span, space->alloc_bits),
         span_words(span) * sizeof(uint64_t));
}

static midden_status guard_before(struct observer *observer, midden_heap *heap, const struct collected *collected) {
  struct guard *guard = guard_of(observer);
  const struct core *core = &heap->core;
  guard->collected = collected;
  guard->quarantine.tag = collected->number;
  for (struct span *span = core->space.touched; collected->minor && span; span = span->next_touched) {
    remember_span(guard, &core->space, span);
  }
  if (collected->minor) return MIDDEN_OK; /* nothing else can die or move */
  for (struct central *central = core->active; central; central = central->next_active) {
    for (struct span *span = central->first; span; span = span->next) remember_span(guard, &core->space, span);
  }
  return MIDDEN_OK;
}

static void settle_cell(void *context, struct span *span, uintptr_t cell) {
  struct guard *guard = context;
  const struct space *space = &guard->heap->core.space;
  uintptr_t now = weak_live(space, cell) ? weak_now(space, cell) : 0;
  if (now == cell) return;
  record(guard, span, cell, now);
  bitmap_clear(guard->before, space_granule(space, cell));
}

static void guard_settled(struct move_watch *watch, struct core *core, bool minor) {
  struct guard *guard = guard_of_watch(watch);
  for (struct span *span = core->space.touched; minor && span; span = span->next_touched) {
    span_each(&core->space, span, guard->before, settle_cell, guard);
  }
  for (struct central *central = minor ? NULL : core->active; central; central = central->next_active) {
    for (struct span *span = central->first; span; span = span->next) {
      span_each(&core->space, span, guard->before, settle_cell, guard);
    }
  }
}

struct guard_move {
  struct guard *guard;
  where_function where;
};

static void move_known_cell(void *context, struct span *span, uintptr_t cell) {
  const struct guard_move *move = context;
  uintptr_t to = move->where(&move->guard->heap->core, cell);
  if (to != cell) record(move->guard, span, cell, to);
}

static void guard_moved(struct move_watch *watch, struct core *core, where_function where) {
  struct guard_move move = {guard_of_watch(watch), where};
  for (struct central *central = core->active; central; central = central->next_active) {
    for (struct span *span = central->first; span; span = span->next) {
      if (!(space_page_entry(&core->space, span->start) & PAGE_EVACUATE)) continue;
      span_each(&core->space, span, move.guard->before, move_known_cell, &move);
    }
  }
}

static midden_status guard_after(struct observer *observer, midden_heap *heap, const struct collected *collected) {
  struct guard *guard = guard_of(observer);
  (void)collected;
  guard->collected = NULL;
  size_t bytes = heap->core.space.pages.frontier * (GRANULES_PER_PAGE / 8);
  heap->memory.decommit(heap->memory.context, guard->before, round_up(bytes, 4096));
  return MIDDEN_OK;
}

static void blocks_freed(void *context, uintptr_t start, size_t bytes, size_t block_bytes) {
  struct guard *guard = context;
  mdn_history_add(&guard->history, &(struct passing){.from = start,
                                                     .size = bytes,
                                                     .site = block_bytes,
                                                     .collection = guard->heap->figures.collections,
                                                     .kind = HISTORY_BLOCK});
}

/* Where sites are recorded, a run is one cell long, so that every allocation is a refill. */
static size_t one_cell(struct observer *observer, midden_heap *heap, struct mutator *mutator, const struct central *central) {
  (void)observer, (void)heap, (void)mutator, (void)central;
  return 1;
}

static void guard_refilled(struct observer *observer, midden_heap *heap, struct mutator *mutator,
                           const struct central *central, void *cell, size_t cells) {
  (void)mutator, (void)central, (void)cells;
  mdn_sites_note(&guard_of(observer)->sites, heap, (uintptr_t)cell);
}

/* ---- reports ---- */

/* A line, whole, or as much of it as the system takes. */
static void write_line(int descriptor, struct text *line) {
  size_t length = size_minimum(line->length, line->capacity - 1);
  line->text[size_minimum(length, line->capacity - 2)] = '\n';
  length = size_minimum(length, line->capacity - 2) + 1;
  for (size_t done = 0; done < length;) {
    ssize_t wrote = write(descriptor, line->text + done, length - done);
    if (wrote <= 0) return;
    done += (size_t)wrote;
  }
}

void mdn_guard_report(const struct guard *guard, uintptr_t address, void *context) {
  const char *access = mdn_os_fault_access(context);
  char buffer[1024];
  uintptr_t addresses[REPORT_FRAMES];
  struct text line = mdn_text_open(buffer, sizeof buffer);
  mdn_text_add(&line, "midden: guard: a %s of ", access ? access : "use");
  mdn_explain(guard->heap, address, &line);
  write_line(guard->descriptor, &line);
  if (guard->heap->collecting && guard->collected) {
    line = mdn_text_open(buffer, sizeof buffer);
    mdn_text_add(&line, "midden: guard: during collection %zu (%s)", (size_t)guard->collected->number,
                 guard->collected->collector);
    write_line(guard->descriptor, &line);
  }
  size_t count = mdn_backtrace_fault(context, addresses, REPORT_FRAMES);
  for (size_t i = 0; i < count; i++) {
    line = mdn_text_open(buffer, sizeof buffer);
    mdn_text_add(&line, "midden: guard:   #%zu ", i);
    mdn_stack_text_place(&line, addresses[i], i > 0);
    write_line(guard->descriptor, &line);
  }
  if (count > 0) return;
  line = mdn_text_open(buffer, sizeof buffer);
  mdn_text_add(&line, "midden: guard: the stack is not known: this build has no libunwind");
  write_line(guard->descriptor, &line);
}

/* ---- in and out ---- */

static void guard_close(struct observer *observer, midden_heap *heap) {
  struct guard *guard = guard_of(observer);
  mdn_guard_signals_remove(guard);
  heap->guard = NULL;
  heap->core.space.pages.quarantine = NULL;
  mdn_history_close(&guard->history);
  if (guard->before) heap->memory.release(heap->memory.context, guard->before, guard->before_bytes);
}

static midden_status check_guard(const midden_heap *heap, midden_error *error) {
  if (heap->memory.reserve != mdn_os_memory()->reserve) {
    return mdn_error(error, MIDDEN_CONFLICT,
                     "guard makes pages of the system inaccessible, and the host supplies the memory: leave config.memory "
                     "NULL or choose guard=off");
  }
  if (mdn_os_page_bytes() > PAGE_BYTES) {
    return mdn_error(error, MIDDEN_CONFLICT, "guard works by pages of at most %zu bytes, and the system's have %zu: choose guard=off",
                     PAGE_BYTES, mdn_os_page_bytes());
  }
  if (heap->config.guard_sites > 0 && !mdn_backtrace_possible()) {
    return mdn_error(error, MIDDEN_UNSUPPORTED,
                     "guard=report:%u records stacks, and this build has no libunwind: choose guard=report", heap->config.guard_sites);
  }
  return MIDDEN_OK;
}

static bool open_tables(struct guard *guard) {
  midden_heap *heap = guard->heap;
  const midden_memory *memory = &heap->memory;
  unsigned interval = heap->config.guard_sites;
  guard->before_bytes = round_up((heap->core.space.extent >> GRANULE_SHIFT) / 8, 4096);
  guard->before = memory->reserve(memory->context, guard->before_bytes);
  return guard->before && memory->commit(memory->context, guard->before, guard->before_bytes) &&
         mdn_history_open(&guard->history, memory) &&
         (interval == 0 || mdn_sites_open(&guard->sites, &heap->core.arena, interval));
}

midden_status mdn_guard_install(midden_heap *heap, midden_error *error) {
  if (heap->config.guard == MIDDEN_GUARD_OFF) return MIDDEN_OK;
  midden_status status = check_guard(heap, error);
  if (status != MIDDEN_OK) return status;
  struct guard *guard = mdn_observer_new(heap, sizeof *guard, error);
  if (!guard) return MIDDEN_NO_MEMORY;
  guard->observer = (struct observer){.before = guard_before, .after = guard_after, .close = guard_close};
  guard->watch = (struct move_watch){heap->core.watches, guard_settled, guard_moved};
  guard->heap = heap;
  guard->descriptor = heap->log ? fileno(heap->log) : STDERR_FILENO;
  guard->quarantine.held = heap->core.space.held;
  guard->quarantine.protect = mdn_os_protect;
  guard->quarantine.blocks_freed = blocks_freed;
  guard->quarantine.context = guard;
  mdn_observer_add(heap, &guard->observer);
  if (!open_tables(guard)) return mdn_error(error, MIDDEN_NO_MEMORY, "the system refused memory for guard's tables");
  if (heap->config.guard_sites > 0) {
    guard->observer.most = one_cell;
    guard->observer.refilled = guard_refilled;
    mdn_observers_watch(heap);
  }
  if (heap->config.guard == MIDDEN_GUARD_REPORT && !mdn_guard_signals_add(guard)) {
    return mdn_error(error, MIDDEN_LIMIT, "too many heaps with guard=report in this process: choose guard=fault");
  }
  heap->guard = guard;
  heap->core.watches = &guard->watch;
  heap->core.space.pages.quarantine = &guard->quarantine;
  return MIDDEN_OK;
}
