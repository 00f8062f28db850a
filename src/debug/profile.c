/* Which allocations are sampled, and what becomes of the samples.
 *
 * Each cell of s bytes is a sample with the probability p = 1 - exp(-s / interval), independently of all others. So the
 * number of cells from one sample of a cursor to its next is geometric. It is drawn once for each sample, counted down
 * by the runs that the cursor takes, and up again by the rests of runs that are given back. A run that would be longer
 * is cut there: so a sample is always the first cell of a run, which is handed out by the slow path, and what the
 * inlined allocation does is as ever.
 *
 * (Sampling by a geometric or exponential distance in bytes: tcmalloc and Go's runtime.) */
#include <math.h>

#include "base/assertion.h"
#include "base/error.h"
#include "base/random.h"
#include "base/tool_file.h"
#include "debug/installers.h"
#include "debug/profile.h"

/* What is known of a cursor, in `ahead`: so many cells come before its next sample; or, between a draw and the taking of
 * a run, the next cell is a sample, and so many come after it before another. */
#define AHEAD_DUE (UINT64_C(1) << 63)

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

/* A draw holds until a run is taken for its cursor: trying again does not draw again. */
static size_t draw_run(struct observer *observer, midden_heap *heap, struct mutator *mutator,
                       const struct central *central) {
  struct profile *profile = (struct profile *)observer;
  uintptr_t cursor = (uintptr_t)&mutator->face.cursors[central->cursor];
  uint64_t *ahead = mdn_address_find(&profile->ahead, cursor);
  if (!ahead) {
    ahead = mdn_address_add(&profile->ahead, &heap->core.arena, cursor);
    if (!ahead) return SIZE_MAX;
    *ahead = draw_cells(profile, central->cell_size);
  }
  if (*ahead == 0) *ahead = AHEAD_DUE | draw_cells(profile, central->cell_size);
  return (size_t)(*ahead & ~AHEAD_DUE) + (*ahead & AHEAD_DUE ? 1 : 0);
}

static void sample_run(struct observer *observer, midden_heap *heap, struct mutator *mutator,
                       const struct central *central, void *cell, size_t cells) {
  struct profile *profile = (struct profile *)observer;
  if (cells == 0) { /* an object by itself */
    size_t size = midden_size_of(heap, cell);
    if (draw_cells(profile, size) == 0) take_sample(profile, mutator, central->kind, cell, size);
    return;
  }
  uint64_t *ahead = mdn_address_find(&profile->ahead, (uintptr_t)&mutator->face.cursors[central->cursor]);
  if (!ahead) { /* memory for it was refused */
    profile->lost++;
    return;
  }
  bool due = *ahead & AHEAD_DUE;
  uint64_t most = (*ahead & ~AHEAD_DUE) + due;
  CHECK(cells <= most);
  *ahead = most - cells;
  if (due) take_sample(profile, mutator, central->kind, cell, central->cell_size);
}

/* The rests of runs are given back: their cells are still to come. */
static void count_rests(struct observer *observer, midden_heap *heap) {
  struct profile *profile = (struct profile *)observer;
  for (const struct mutator *mutator = heap->core.mutators; mutator; mutator = mutator->next) {
    for (const struct central *central = heap->core.active; central; central = central->next_active) {
      if (central->size_class == SIZE_CLASS_LARGE) continue;
      const midden_cursor *cursor = &mutator->face.cursors[central->cursor];
      uint64_t *ahead = cursor->next == cursor->limit ? NULL : mdn_address_find(&profile->ahead, (uintptr_t)cursor);
      if (ahead) *ahead += (size_t)(cursor->limit - cursor->next) / central->cell_size;
    }
  }
}

static uintptr_t unless_of_mutator(void *context, uintptr_t cursor, uint64_t ahead) {
  const struct mutator *mutator = context;
  (void)ahead;
  return cursor - (uintptr_t)mutator < mutator->reserved_bytes ? 0 : cursor;
}

/* Another mutator may have its memory. */
static void forget_mutator(struct observer *observer, midden_heap *heap, const struct mutator *mutator) {
  struct profile *profile = (struct profile *)observer;
  (void)heap;
  mdn_address_rewrite(&profile->ahead, unless_of_mutator, (void *)(uintptr_t)mutator);
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
                                        .flushing = count_rests,
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
