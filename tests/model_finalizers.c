/* The model's finalizers: of single objects, some in order, some that keep their object and register it again; and of
 * a kind. See model_internal.h.
 *
 * No decision depends on when a finalizer runs: what it does depends on its object's number. */
#include <string.h>

#include "model_internal.h"

static bool is_set(const unsigned char *bits, uint64_t serial) { return bits[serial / 8] >> serial % 8 & 1; }

static uint64_t serial_of(model *here, midden_mutator *mutator, const void *object) {
  if (mutator != here->mutator || midden_object_at(here->heap, object) != object) model_fail(here, "a finalizer got no object");
  return *(const midden_word *)object >> 3;
}

/* ---- Of a kind ---- */

/* An object whose allocation was interrupted by nothing has its number; it is finalized once. */
static void finalized_kind(midden_mutator *mutator, void *object, void *context) {
  model *here = context;
  uint64_t serial = serial_of(here, mutator, object);
  here->finalized_ran++;
  if (serial == 0 || serial > here->last_serial) model_fail(here, "a kind's finalizer got number %zu", (size_t)serial);
  if (serial >= MODEL_SERIALS) return;
  if (is_set(here->finalized, serial)) model_fail(here, "object %zu was finalized twice", (size_t)serial);
  here->finalized[serial / 8] |= (unsigned char)(1u << serial % 8);
}

void model_finalized_shape(model *here, midden_shape *shape) {
  shape->finalizer = finalized_kind;
  shape->finalizer_context = here;
  if (model_below(here, 2)) shape->flags |= MIDDEN_KIND_FINALIZER_ORDERED;
}

/* ---- Of single objects ---- */

static void finalized(midden_mutator *mutator, void *object, void *context);

/* Every third makes its object reachable again, once. post: whether it did. */
static bool keep(model *here, model_watch *watched, void *object) {
  midden_word *place = &here->reborn[watched->serial % MODEL_REBORN];
  if (watched->serial % 3 != 0 || watched->reborn || here->settling || *place != 0) return false;
  if (midden_finalizer_add(here->mutator, object, finalized, here) != MIDDEN_OK) return false;
  watched->reborn = true;
  *place = (uintptr_t)object;
  here->reborn_serials[watched->serial % MODEL_REBORN] = watched->serial;
  return true;
}

/* One of the model's registrations runs: the object is there, and it is the first time. */
static void finalized(midden_mutator *mutator, void *object, void *context) {
  model *here = context;
  uint64_t serial = serial_of(here, mutator, object);
  for (size_t i = 0; i < MODEL_FINALIZERS; i++) {
    model_watch *watched = &here->finalizers[i];
    if (watched->serial != serial) continue;
    if (watched->ran) break;
    if (keep(here, watched, object)) return;
    watched->ran = true; /* the next comparison says whether it is unreachable */
    return;
  }
  model_fail(here, "object %zu has no finalizer, or it ran before", (size_t)serial);
}

static bool watches(const model *here, uint64_t serial) {
  for (size_t i = 0; i < MODEL_FINALIZERS; i++)
    if (here->finalizers[i].serial == serial) return true;
  return false;
}

void model_add_finalizer(model *here) {
  void *object;
  uint32_t index = model_walk(here, &object);
  size_t which = model_below(here, MODEL_FINALIZERS);
  bool ordered = model_below(here, 3) == 0, removes = model_below(here, 6) == 0;
  model_watch *watched = &here->finalizers[which];
  if (removes && watched->index != 0 && watched->index == index && !watched->ran && !watched->reborn) {
    midden_status status = midden_finalizer_remove(here->mutator, object, finalized, here);
    if (status != MIDDEN_OK) model_fail(here, "midden_finalizer_remove: %s", midden_status_name(status));
    *watched = (model_watch){.serial = 0};
    return;
  }
  if (index == 0 || watched->serial != 0 || watches(here, here->shadows[index].serial)) return;
  midden_status status = ordered ? midden_finalizer_add_ordered(here->mutator, object, finalized, here)
                                 : midden_finalizer_add(here->mutator, object, finalized, here);
  if (status != MIDDEN_OK && status != MIDDEN_NO_MEMORY) model_fail(here, "adding a finalizer: %s", midden_status_name(status));
  if (status == MIDDEN_OK) model_watch_object(here, watched, index);
}

/* ---- Comparing ---- */

static void check_reborn(model *here) {
  for (size_t i = 0; i < MODEL_REBORN && !here->result->failed; i++) {
    const midden_word *object = (const midden_word *)here->reborn[i];
    if (object == NULL) continue;
    if (midden_object_at(here->heap, object) != object || object[0] >> 3 != here->reborn_serials[i])
      model_fail(here, "object %zu, which its finalizer kept, is gone", (size_t)here->reborn_serials[i]);
  }
}

void model_check_finalizers(model *here, uint64_t stamp, uint64_t live_finalized, bool certain) {
  for (size_t i = 0; i < MODEL_FINALIZERS && !here->result->failed; i++) {
    model_watch *watched = &here->finalizers[i];
    bool live = model_reached(here, watched, stamp);
    if (live && (watched->ran || watched->reborn))
      model_fail(here, "object %zu was finalized and is reachable", (size_t)watched->serial);
    if (live) continue;
    if (certain && watched->serial && !watched->ran)
      model_fail(here, "object %zu is gone, and its finalizer did not run", (size_t)watched->serial);
    watched->index = 0;
    if (watched->ran) *watched = (model_watch){.serial = 0};
  }
  check_reborn(here);
  uint64_t dead = here->finalized_made - live_finalized;
  if (here->finalized_ran > dead || (certain && here->finalized_ran != dead))
    model_fail(here, "%llu objects of a kind with finalizers are dead, and %llu finalizers ran", (unsigned long long)dead,
               (unsigned long long)here->finalized_ran);
}

midden_status model_settle(model *here) {
  midden_status status = MIDDEN_OK;
  bool changed;
  here->settling = true;
  memset(here->reborn, 0, sizeof here->reborn);
  midden_statistics before, after;
  midden_statistics_read(here->heap, &after);
  /* Once more at least: what a weak table held by a key whose value is gone goes after its pair was cleared. */
  do {
    before = after;
    midden_finalizers_run(here->mutator, SIZE_MAX);
    status = midden_collect(here->mutator, MIDDEN_FULL);
    midden_statistics_read(here->heap, &after);
    changed = midden_finalizers_waiting(here->heap) > 0 || after.live_objects != before.live_objects ||
              after.weak_cleared != before.weak_cleared || after.finalizers_run != before.finalizers_run;
  } while (changed && status == MIDDEN_OK && !here->result->failed);
  here->settling = false;
  return status;
}

void model_finalizers_closed(model *here) {
  if (!here->config.run_finalizers || here->result->failed) return;
  if (here->finalized_ran != here->finalized_made)
    model_fail(here, "%llu of %llu finalizers of a kind have run when the heap is closed",
               (unsigned long long)here->finalized_ran, (unsigned long long)here->finalized_made);
  for (size_t i = 0; i < MODEL_FINALIZERS; i++)
    if (here->finalizers[i].serial != 0 && !here->finalizers[i].ran)
      model_fail(here, "the finalizer of object %zu did not run when the heap was closed", (size_t)here->finalizers[i].serial);
}
