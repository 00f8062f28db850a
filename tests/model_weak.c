/* The model's weak side: weak slots, weak arrays, an ephemeron table, finalizers and on_free, over the same graph. See
 * model_internal.h.
 *
 * No decision of the model depends on what was cleared. What a weak reference refers to is its object as long as the
 * graph or the table's values reach it, and after that its object or nothing; nothing for sure, when a full collection
 * was made and nothing is ambiguous. */
#include <string.h>

#include "model_internal.h"

#define IMMEDIATE(number) ((uintptr_t)(number) << 3 | 1)

/* ---- on_free ---- */

/* Every leaf is freed once: made ones by serial number, garbage (all bits set) by count. */
static void leaf_freed(void *object, size_t size, void *context) {
  model *here = context;
  uint64_t first = *(const midden_word *)object, serial = first >> 3;
  (void)size;
  here->leaves_freed++;
  if (first == UINTPTR_MAX) return;
  if (first != IMMEDIATE(serial) || serial > here->last_serial) model_fail(here, "on_free got a leaf of content %#zx", (size_t)first);
  if (serial >= MODEL_SERIALS) return;
  if (here->freed[serial / 8] >> serial % 8 & 1) model_fail(here, "leaf %zu was freed twice", (size_t)serial);
  here->freed[serial / 8] |= (unsigned char)(1u << serial % 8);
}

void model_leaf_shape(model *here, midden_shape *shape) {
  shape->on_free = leaf_freed;
  shape->on_free_context = here;
}

/* ---- opening ---- */

bool model_weak_open(model *here) {
  static const midden_shape weak = {.name = "weak array", .size = 8, .refs = MIDDEN_REFS_WEAK};
  static const midden_shape pairs = {.name = "weak table", .size = 8, .refs = MIDDEN_REFS_PAIRS};
  midden_kind weak_kind = midden_kind_define(here->heap, &weak, NULL);
  midden_kind pairs_kind = midden_kind_define(here->heap, &pairs, NULL);
  bool rooted = midden_root_range_add(here->heap, here->weak_objects, 2) == MIDDEN_OK;
  for (size_t i = 0; i < MODEL_WEAK_SLOTS; i++) {
    rooted &= midden_weak_add(here->heap, &here->weak_slots[i], i % 2 ? MIDDEN_WEAK_SHORT : MIDDEN_WEAK_LONG) == MIDDEN_OK;
  }
  if (!rooted) model_fail(here, "registering weak slots failed");
  size_t sizes[] = {(1 + MODEL_WEAK_ELEMENTS) * sizeof(midden_word), (1 + 2 * MODEL_EPHEMERONS) * sizeof(midden_word)};
  for (size_t i = 0; i < 2; i++) {
    void *made = midden_alloc_sized(here->mutator, i ? pairs_kind : weak_kind, sizes[i]);
    if (!made) model_fail(here, "no memory for the weak objects");
    here->weak_objects[i] = (uintptr_t)made;
    here->allocations++;
    here->requested += sizes[i];
  }
  return !here->result->failed;
}

/* ---- operations ---- */

static midden_word *weak_word(model *here, size_t which) {
  if (which < MODEL_WEAK_SLOTS) return &here->weak_slots[which];
  return (midden_word *)here->weak_objects[0] + 1 + (which - MODEL_WEAK_SLOTS);
}

/* Entry `which` of the table: its key, and behind it its value. */
static midden_word *ephemeron_words(model *here, size_t which) {
  return (midden_word *)here->weak_objects[1] + 1 + 2 * which;
}

static void watch(model *here, model_watch *watched, uint32_t index) {
  *watched = (model_watch){index, index ? here->shadows[index].serial : 0, false};
}

static void set_weak(model *here) {
  void *object = NULL;
  size_t which = model_below(here, MODEL_WEAK_SLOTS + MODEL_WEAK_ELEMENTS);
  uint32_t index = model_walk(here, &object);
  watch(here, &here->weak[which], index);
  midden_word *slot = weak_word(here, which);
  if (which < MODEL_WEAK_SLOTS) *slot = index ? (uintptr_t)object : 0;
  else midden_store_word(here->mutator, (void *)here->weak_objects[0], slot, index ? (uintptr_t)object : 0);
}

static void set_ephemeron(model *here) {
  void *key = NULL, *value = NULL;
  size_t which = model_below(here, MODEL_EPHEMERONS);
  uint32_t key_index = model_walk(here, &key), value_index = model_walk(here, &value);
  if (key_index == 0 || value_index == 0) key_index = value_index = 0;
  watch(here, &here->keys[which], key_index);
  watch(here, &here->values[which], value_index);
  midden_word *words = ephemeron_words(here, which);
  void *table = (void *)here->weak_objects[1];
  midden_store_word(here->mutator, table, &words[0], key_index ? (uintptr_t)key : 0);
  midden_store_word(here->mutator, table, &words[1], value_index ? (uintptr_t)value : 0);
}

/* One of the model's registrations runs: the object is there, and it is the first time. */
static void finalized(midden_mutator *mutator, void *object, void *context) {
  model *here = context;
  uint64_t serial = *(const midden_word *)object >> 3;
  if (mutator != here->mutator || midden_object_at(here->heap, object) != object) model_fail(here, "a finalizer got no object");
  for (size_t i = 0; i < MODEL_FINALIZERS; i++) {
    if (here->finalizers[i].serial != serial) continue;
    if (here->finalizers[i].ran) break;
    here->finalizers[i].ran = true; /* the next comparison says whether it is unreachable */
    return;
  }
  model_fail(here, "object %zu has no finalizer, or it ran before", (size_t)serial);
}

static void add_finalizer(model *here) {
  void *object;
  uint32_t index = model_walk(here, &object);
  size_t which = model_below(here, MODEL_FINALIZERS);
  bool ordered = model_below(here, 3) == 0;
  if (index == 0 || here->finalizers[which].serial != 0) return;
  for (size_t i = 0; i < MODEL_FINALIZERS; i++)
    if (here->finalizers[i].serial == here->shadows[index].serial) return;
  midden_status status = ordered ? midden_finalizer_add_ordered(here->mutator, object, finalized, here)
                                 : midden_finalizer_add(here->mutator, object, finalized, here);
  if (status != MIDDEN_OK && status != MIDDEN_NO_MEMORY) model_fail(here, "adding a finalizer: %s", midden_status_name(status));
  if (status == MIDDEN_OK) watch(here, &here->finalizers[which], index);
}

void model_weak_operate(model *here) {
  size_t choice = model_below(here, 8);
  if (choice < 4) set_weak(here);
  else if (choice < 7) set_ephemeron(here);
  else add_finalizer(here);
}

/* ---- comparing ---- */

static bool reached(const model *here, const model_watch *watched, uint64_t stamp) {
  return watched->index != 0 && here->shadows[watched->index].seen == stamp;
}

bool model_weak_next(model *here, uint64_t stamp, model_next *next) {
  while (next->position < MODEL_EPHEMERONS) {
    size_t i = next->position++;
    if (!reached(here, &here->keys[i], stamp) || reached(here, &here->values[i], stamp)) continue;
    next->index = here->values[i].index;
    next->word = ephemeron_words(here, i)[1];
    next->position = 0; /* what follows from it may make earlier keys reachable */
    return true;
  }
  return false;
}

/* One weak word; `certain`: what is not reachable must be cleared. */
static void check_word(model *here, midden_word word, model_watch *watched, bool live, bool certain, const char *what,
                       size_t which) {
  unsigned long long serial = watched->serial;
  if (live && word != here->shadows[watched->index].address) {
    model_fail(here, "%s %zu is %#zx, and its object %llu at %#zx", what, which, (size_t)word, serial,
               (size_t)here->shadows[watched->index].address);
  } else if (!live && word != 0 && (certain || watched->serial == 0)) {
    model_fail(here, "%s %zu is %#zx, and its object %llu is gone", what, which, (size_t)word, serial);
  } else if (!live && word != 0 && (midden_object_at(here->heap, (void *)word) != (void *)word ||
                                    *(const midden_word *)word != IMMEDIATE(watched->serial))) {
    model_fail(here, "%s %zu is %#zx, where object %llu is not", what, which, (size_t)word, serial);
  }
  if (!live) watched->index = 0; /* its shadow is about to be freed */
}

void model_weak_check(model *here, uint64_t stamp, bool certain) {
  for (size_t i = 0; i < MODEL_WEAK_SLOTS + MODEL_WEAK_ELEMENTS && !here->result->failed; i++) {
    check_word(here, *weak_word(here, i), &here->weak[i], reached(here, &here->weak[i], stamp), certain, "weak reference", i);
  }
  for (size_t i = 0; i < MODEL_EPHEMERONS && !here->result->failed; i++) {
    const midden_word *words = ephemeron_words(here, i);
    bool live = reached(here, &here->keys[i], stamp);
    if (!live && (words[0] == 0) != (words[1] == 0)) model_fail(here, "half of ephemeron %zu is cleared", i);
    if (!live && words[1] != 0 && reached(here, &here->values[i], stamp) && !certain) {
      here->values[i].index = here->keys[i].index = 0; /* not cleared yet, and its value lives otherwise */
      continue;
    }
    check_word(here, words[0], &here->keys[i], live, certain, "the key of ephemeron", i);
    check_word(here, words[1], &here->values[i], live, certain, "the value of ephemeron", i);
  }
  for (size_t i = 0; i < MODEL_FINALIZERS && !here->result->failed; i++) {
    model_watch *watched = &here->finalizers[i];
    bool live = reached(here, watched, stamp);
    if (live && watched->ran) model_fail(here, "object %zu was finalized and is reachable", (size_t)watched->serial);
    if (live) continue;
    if (certain && watched->serial && !watched->ran)
      model_fail(here, "object %zu is gone, and its finalizer did not run", (size_t)watched->serial);
    watched->index = 0;
    if (watched->ran) *watched = (model_watch){0, 0, false};
  }
}

/* Runs what waits, and collects until nothing does: what was kept for its finalizer is gone then. */
midden_status model_weak_settle(model *here) {
  midden_status status = MIDDEN_OK;
  while (midden_finalizers_waiting(here->heap) > 0 && status == MIDDEN_OK && !here->result->failed) {
    midden_finalizers_run(here->mutator, SIZE_MAX);
    status = midden_collect(here->mutator, MIDDEN_FULL);
  }
  return status;
}
