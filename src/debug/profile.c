/* Which allocations are sampled, and what becomes of the samples.
 *
 * Each cell of s bytes is a sample with the probability p = 1 - exp(-s / interval), independently of all others. So the
 * number of cells before the next sample is geometric, and has no memory: it may be drawn anew whenever no sample has
 * come yet. When a run is about to be taken, it is drawn: whether the first cell is a sample, and how many follow that
 * are none. If the run would be longer than that, it is cut there: then the cell after the cut is a sample for certain,
 * and since the run ends there, it is the first of another. What the inlined allocation does is as ever.
 *
 * (Sampling by a geometric or exponential distance in bytes: tcmalloc and Go's runtime.) */
#include <math.h>

#include "base/assertion.h"
#include "base/error.h"
#include "base/random.h"
#include "base/tool_file.h"
#include "debug/installers.h"
#include "debug/profile.h"

/* In `cuts`, besides the end of a run: what is known of the cursor's next cell. */
#define NOT_DUE ((uint64_t)0)
#define DUE ((uint64_t)1)

/* An exponential random number of mean 1, exactly, by comparisons only, so that it is the same everywhere (von Neumann
 * 1951): the length of the first decreasing sequence of uniform numbers is odd with the right probability. */
static double draw_exponential(uint64_t *random) {
  for (double whole = 0;; whole++) {
    uint64_t first = random_next(random), last = first;
    for (unsigned length = 1;; length++) {
      uint64_t next = random_next(random);
      if (next >= last) {
        if (length % 2 == 1) return whole + (double)(first >> 11) * 0x1p-53;
        break;
      }
      last = next;
    }
  }
}

/* Cells of `size` bytes before the next sample. */
static size_t draw_cells(struct profile *profile, size_t size) {
  double cells = draw_exponential(&profile->random) * (double)profile->interval / (double)size;
  return cells < 1e15 ? (size_t)cells : (size_t)1e15;
}

static void take_sample(struct profile *profile, struct mutator *mutator, uint16_t kind, void *cell, size_t size) {
  struct core *core = &profile->heap->core;
  struct site *site = mdn_profile_site(profile, mutator, kind);
  if (!site) {
    profile->lost++;
    return;
  }
  double objects = -1 / expm1(-(double)size / (double)profile->interval), bytes = objects * (double)size;
  site->samples++;
  site->objects += objects;
  site->bytes += bytes;
  struct sample *sample = profile->unused ? profile->unused : mdn_arena_allocate(&core->arena, sizeof *sample);
  if (!sample) return; /* it will not be found among what is alive */
  profile->unused = sample->next;
  uint64_t *value = mdn_side_add(core, &core->samples, (uintptr_t)cell);
  if (!value) {
    sample->next = profile->unused;
    profile->unused = sample;
    return;
  }
  *sample = (struct sample){profile, site, objects, bytes, NULL};
  *value = (uint64_t)(uintptr_t)sample;
  site->live_samples++;
  site->live_objects += objects;
  site->live_bytes += bytes;
}

static void drop_sample(struct core *core, uint64_t value) {
  (void)core;
  struct sample *sample = (struct sample *)(uintptr_t)value; /* NOLINT: what take_sample has put there */
  struct site *site = sample->site;
  site->live_samples--;
  site->live_objects = site->live_samples ? site->live_objects - sample->objects : 0;
  site->live_bytes = site->live_samples ? site->live_bytes - sample->bytes : 0;
  sample->next = sample->profile->unused;
  sample->profile->unused = sample;
}

/* ---- refills ---- */

/* Whether the run of a cursor ended in this cut, and is used up. */
static bool used_up(const midden_cursor *cursor, uint64_t cut) {
  return cut != NOT_DUE && cursor->next == cursor->limit && cut == (uint64_t)(uintptr_t)cursor->limit;
}

static bool cursor_due(const struct profile *profile, const midden_cursor *cursor) {
  const uint64_t *cut = mdn_address_find(&profile->cuts, (uintptr_t)cursor);
  return cut && (*cut == DUE || used_up(cursor, *cut));
}

/* A draw holds until a run is taken for its cursor: else trying again would draw again. */
static size_t draw_run(struct observer *observer, midden_heap *heap, struct mutator *mutator,
                       const struct central *central) {
  (void)heap;
  struct profile *profile = (struct profile *)observer;
  struct draw *draw = &profile->draw;
  const midden_cursor *cursor = &mutator->face.cursors[central->cursor];
  if (draw->cursor == cursor) return draw->most;
  *draw = (struct draw){cursor, cursor_due(profile, cursor), 0};
  if (!draw->due) {
    draw->most = draw_cells(profile, central->cell_size);
    draw->due = draw->most == 0;
  }
  if (draw->due) draw->most = 1 + draw_cells(profile, central->cell_size);
  return draw->most;
}

/* Remembers that the run of a cursor was cut where a sample is due, or that it was not. */
static void note_cut(struct profile *profile, const midden_cursor *cursor, uint64_t cut) {
  if (cut == NOT_DUE) {
    mdn_address_remove(&profile->cuts, (uintptr_t)cursor);
    return;
  }
  uint64_t *value = mdn_address_add(&profile->cuts, &profile->heap->core.arena, (uintptr_t)cursor);
  if (value) {
    *value = cut;
  } else {
    profile->lost++;
  }
}

static void sample_run(struct observer *observer, midden_heap *heap, struct mutator *mutator,
                       const struct central *central, void *cell, size_t cells) {
  struct profile *profile = (struct profile *)observer;
  if (cells == 0) { /* an object by itself */
    size_t size = midden_size_of(heap, cell);
    if (draw_cells(profile, size) == 0) take_sample(profile, mutator, central->kind, cell, size);
    return;
  }
  const midden_cursor *cursor = &mutator->face.cursors[central->cursor];
  struct draw draw = profile->draw;
  CHECK(draw.cursor == cursor && cells <= draw.most);
  profile->draw.cursor = NULL;
  note_cut(profile, cursor, cells == draw.most ? (uint64_t)(uintptr_t)((char *)cell + cells * central->cell_size) : NOT_DUE);
  if (draw.due) take_sample(profile, mutator, central->kind, cell, central->cell_size);
}

/* The rests of runs are given back. Where one was used up to its cut, its sample is still due; else what was drawn is
 * forgotten. */
static void forget_cuts(struct observer *observer, midden_heap *heap) {
  struct profile *profile = (struct profile *)observer;
  (void)heap;
  for (size_t i = 0; i < profile->cuts.capacity; i++) {
    struct address_entry *entry = &profile->cuts.entries[i];
    if (!entry->address || entry->value == DUE || entry->value == NOT_DUE) continue;
    const midden_cursor *cursor = (const midden_cursor *)entry->address; /* NOLINT: what note_cut has put there */
    entry->value = used_up(cursor, entry->value) ? DUE : NOT_DUE;
  }
}

/* Cursors of a mutator that goes have no more to come: another mutator may have its memory. */
static void forget_mutator(struct observer *observer, midden_heap *heap, const struct mutator *mutator) {
  struct profile *profile = (struct profile *)observer;
  uintptr_t first = (uintptr_t)mutator, end = first + mutator->reserved_bytes;
  (void)heap;
  for (size_t i = 0; i < profile->cuts.capacity; i++) {
    struct address_entry *entry = &profile->cuts.entries[i];
    if (entry->address >= first && entry->address < end) entry->value = NOT_DUE;
  }
  profile->draw.cursor = NULL;
}

/* ---- opening and closing ---- */

static void close_profile(struct observer *observer, midden_heap *heap);

struct profile *mdn_profile_of(midden_heap *heap) {
  for (struct observer *observer = heap->observers; observer; observer = observer->next) {
    if (observer->close == close_profile) return (struct profile *)observer;
  }
  return NULL;
}

static bool write_to_file(void *context, const char *bytes, size_t count) {
  return fwrite(bytes, 1, count, context) == count;
}

/* Writes the profile and closes the file. */
static midden_status save_profile(struct profile *profile, FILE *file, midden_error *error) {
  midden_writer writer = {write_to_file, file};
  midden_status status = mdn_profile_write_pprof(profile, &writer, error);
  midden_status closed = mdn_file_flush(file, true, "the profile", status == MIDDEN_OK ? error : NULL);
  return status == MIDDEN_OK ? closed : status;
}

static void close_profile(struct observer *observer, midden_heap *heap) {
  struct profile *profile = (struct profile *)observer;
  midden_error error;
  if (!profile->file) return;
  if (save_profile(profile, profile->file, &error) != MIDDEN_OK) mdn_heap_report(heap, true, "midden: %s", error.message);
  profile->file = NULL;
}

midden_status mdn_profile_install(midden_heap *heap, midden_error *error) {
  if (heap->config.profile == 0) return MIDDEN_OK;
  struct profile *profile = mdn_observer_new(heap, sizeof *profile, error);
  if (!profile) return MIDDEN_NO_MEMORY;
  if (heap->config.profile_file[0]) {
    midden_status status = mdn_file_create(heap->config.profile_file, "option profile", &profile->file, error);
    if (status != MIDDEN_OK) return status;
  }
  profile->heap = heap;
  profile->interval = heap->config.profile;
  profile->frames.item_bytes = sizeof(struct frame);
  profile->sites.item_bytes = sizeof(struct site);
  profile->observer = (struct observer){.most = draw_run,
                                        .refilled = sample_run,
                                        .flushing = forget_cuts,
                                        .detaching = forget_mutator,
                                        .close = close_profile};
  heap->core.samples.dropped = drop_sample;
  mdn_observer_add(heap, &profile->observer);
  mdn_observers_watch(heap);
  return MIDDEN_OK;
}

/* ---- public ---- */

midden_status midden_profile_guest(midden_heap *heap, midden_guest_stack_function function, void *context) {
  if (heap_enter(heap) != MIDDEN_OK) return MIDDEN_MISUSE;
  struct profile *profile = mdn_profile_of(heap);
  if (profile) {
    profile->guest = function;
    profile->guest_context = context;
  }
  return MIDDEN_OK;
}

static void add_site(const struct site *site, midden_profile_totals *totals) {
  totals->samples += site->samples;
  totals->live_samples += site->live_samples;
  totals->objects += site->objects;
  totals->bytes += site->bytes;
  totals->live_objects += site->live_objects;
  totals->live_bytes += site->live_bytes;
}

midden_status midden_profile_read(midden_heap *heap, uint16_t kind, midden_profile_totals *result) {
  if (heap_enter(heap) != MIDDEN_OK) return MIDDEN_MISUSE;
  struct profile *profile = mdn_profile_of(heap);
  if (!profile) return MIDDEN_UNSUPPORTED;
  if (!result || kind >= size_maximum(heap->core.kinds.count, 1)) return MIDDEN_BAD_ARGUMENT;
  midden_profile_totals totals = {0, 0, 0, 0, 0, 0};
  for (size_t i = 0; i < profile->sites.capacity; i++) {
    const struct site *site = (const struct site *)profile->sites.items[i];
    if (site && (kind == 0 || site_key(profile, site)->kind == kind)) add_site(site, &totals);
  }
  *result = totals;
  return MIDDEN_OK;
}

/* The profile of a heap that may be used now. post: NULL and *status, which is in *error too. */
static struct profile *enter_profile(midden_heap *heap, const void *argument, midden_status *status, midden_error *error) {
  struct profile *profile = NULL;
  if (heap_enter(heap) != MIDDEN_OK) {
    *status = mdn_error(error, MIDDEN_MISUSE, "the profile: not an open heap of this thread, or inside a collection");
  } else if (!argument) {
    *status = mdn_error(error, MIDDEN_BAD_ARGUMENT, "the profile: it needs a place to be written to");
  } else if (!(profile = mdn_profile_of(heap))) {
    *status = mdn_error(error, MIDDEN_UNSUPPORTED, "the heap has no profile: open it with the option profile=512K");
  }
  return profile;
}

midden_status midden_profile_write(midden_heap *heap, const midden_writer *writer, midden_error *error) {
  midden_status status = MIDDEN_OK;
  struct profile *profile = enter_profile(heap, writer, &status, error);
  if (!profile) return status;
  heap->collecting = true; /* whatever the writer calls is refused */
  status = mdn_profile_write_pprof(profile, writer, error);
  heap->collecting = false;
  return status;
}

midden_status midden_profile_save(midden_heap *heap, const char *path, midden_error *error) {
  midden_status status = MIDDEN_OK;
  struct profile *profile = enter_profile(heap, path, &status, error);
  if (!profile) return status;
  FILE *file;
  status = mdn_file_create(path, "the profile", &file, error);
  return status == MIDDEN_OK ? save_profile(profile, file, error) : status;
}
