/* The model's weak side: weak slots, weak arrays, a weak table of each sort, and on_free, over the same graph. See
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

static void *make_object(model *here, midden_kind kind, size_t words) {
  void *made = midden_alloc_sized(here->mutator, kind, words * sizeof(midden_word));
  if (!made) model_fail(here, "no memory for the weak objects");
  here->allocations++;
  here->requested += words * sizeof(midden_word);
  return made;
}

bool model_weak_open(model *here) {
  bool rooted = midden_root_range_add(here->heap, here->weak_objects, MODEL_WEAK_OBJECTS) == MIDDEN_OK;
  rooted &= midden_root_range_add(here->heap, here->reborn, MODEL_REBORN) == MIDDEN_OK;
  for (size_t i = 0; i < MODEL_WEAK_SLOTS; i++) {
    rooted &= midden_weak_add(here->heap, &here->weak_slots[i], i % 2 ? MIDDEN_WEAK_SHORT : MIDDEN_WEAK_LONG) == MIDDEN_OK;
  }
  if (!rooted) model_fail(here, "registering weak slots failed");
  for (size_t i = 0; i < MODEL_WEAK_OBJECTS; i++) {
    midden_shape shape = {.name = "weak array", .size = 8, .refs = MIDDEN_REFS_WEAK, .weak = i ? MIDDEN_WEAK_LONG : MIDDEN_WEAK_SHORT};
    if (i >= 2) shape = (midden_shape){.name = "weak table", .size = 8, .refs = MIDDEN_REFS_PAIRS, .pairs = (midden_pairs)(i - 2)};
    midden_kind kind = midden_kind_define(here->heap, &shape, NULL);
    here->weak_objects[i] = (uintptr_t)make_object(here, kind, 1 + (i < 2 ? MODEL_WEAK_ELEMENTS / 2 : 2 * MODEL_PAIRS));
  }
  return !here->result->failed;
}

/* ---- operations ---- */

/* Weak words are the slots, the elements of the first array, those of the second. */
static midden_word *weak_word(model *here, size_t which, void **owner) {
  *owner = NULL;
  if (which < MODEL_WEAK_SLOTS) return &here->weak_slots[which];
  size_t element = which - MODEL_WEAK_SLOTS;
  *owner = (void *)here->weak_objects[element / (MODEL_WEAK_ELEMENTS / 2)];
  return (midden_word *)*owner + 1 + element % (MODEL_WEAK_ELEMENTS / 2);
}

/* A pair of a table: its key, and behind it its value. */
static midden_word *pair_words(const model *here, size_t table, size_t which) {
  return (midden_word *)here->weak_objects[2 + table] + 1 + 2 * which;
}

void model_watch_object(const model *here, model_watch *watched, uint32_t index) {
  *watched = (model_watch){index, index ? here->shadows[index].serial : 0, false, false};
}

static void set_weak(model *here) {
  void *object = NULL, *owner;
  size_t which = model_below(here, MODEL_WEAK_SLOTS + MODEL_WEAK_ELEMENTS);
  uint32_t index = model_walk(here, &object);
  model_watch_object(here, &here->weak[which], index);
  midden_word *slot = weak_word(here, which, &owner);
  if (owner == NULL) *slot = index ? (uintptr_t)object : 0;
  else midden_store_word(here->mutator, owner, slot, index ? (uintptr_t)object : 0);
}

static void set_pair(model *here) {
  void *key = NULL, *value = NULL;
  size_t table = model_below(here, MODEL_TABLES), which = model_below(here, MODEL_PAIRS);
  uint32_t key_index = model_walk(here, &key), value_index = model_walk(here, &value);
  if (key_index == 0 || value_index == 0) key_index = value_index = 0;
  model_watch_object(here, &here->keys[table][which], key_index);
  model_watch_object(here, &here->values[table][which], value_index);
  midden_word *words = pair_words(here, table, which);
  void *object = (void *)here->weak_objects[2 + table];
  midden_store_word(here->mutator, object, &words[0], key_index ? (uintptr_t)key : 0);
  midden_store_word(here->mutator, object, &words[1], value_index ? (uintptr_t)value : 0);
}

void model_weak_operate(model *here) {
  size_t choice = model_below(here, 8);
  if (choice < 3) set_weak(here);
  else if (choice < 7) set_pair(here);
  else model_add_finalizer(here);
}

/* ---- comparing ---- */

bool model_reached(const model *here, const model_watch *watched, uint64_t stamp) {
  return watched->index != 0 && here->shadows[watched->index].seen == stamp;
}

static bool hold(const model_watch *held, midden_word word, model_next *next) {
  next->index = held->index;
  next->word = word;
  next->position = 0; /* what follows from it may make earlier keys reachable */
  return true;
}

/* Ephemerons hold the values of reachable keys. A table of weak values holds the keys of pairs that are there. */
bool model_weak_next(model *here, uint64_t stamp, model_next *next) {
  const model_watch *keys = here->keys[MIDDEN_PAIRS_EPHEMERON], *values = here->values[MIDDEN_PAIRS_EPHEMERON];
  const model_watch *strong = here->keys[MIDDEN_PAIRS_WEAK_VALUE];
  while (next->position < MODEL_PAIRS) {
    size_t i = next->position++;
    const midden_word *words = pair_words(here, MIDDEN_PAIRS_WEAK_VALUE, i);
    if (words[0] != 0 && strong[i].index != 0 && !model_reached(here, &strong[i], stamp)) return hold(&strong[i], words[0], next);
    if (!model_reached(here, &keys[i], stamp) || values[i].index == 0 || model_reached(here, &values[i], stamp)) continue;
    return hold(&values[i], pair_words(here, MIDDEN_PAIRS_EPHEMERON, i)[1], next);
  }
  return false;
}

/* A word that is not cleared: its object is there. */
static void check_target(model *here, midden_word word, const model_watch *watched, bool live, const char *what, size_t which) {
  unsigned long long serial = watched->serial;
  if (live && word != here->shadows[watched->index].address) {
    model_fail(here, "%s %zu is %#zx, and its object %llu at %#zx", what, which, (size_t)word, serial,
               (size_t)here->shadows[watched->index].address);
  } else if (!live && (midden_object_at(here->heap, (void *)word) != (void *)word ||
                       *(const midden_word *)word != IMMEDIATE(watched->serial))) {
    model_fail(here, "%s %zu is %#zx, where object %llu is not", what, which, (size_t)word, serial);
  }
}

/* One weak word; `certain`: what is not reachable must be cleared. */
static void check_word(model *here, midden_word word, model_watch *watched, uint64_t stamp, bool certain, size_t which) {
  bool live = model_reached(here, watched, stamp);
  if (word != 0 || live) check_target(here, word, watched, live, "weak reference", which);
  if (word != 0 && !live && certain)
    model_fail(here, "weak reference %zu is not cleared, and its object %zu is gone", which, (size_t)watched->serial);
  if (!live) watched->index = 0; /* its shadow is about to be freed */
}

static void check_pair(model *here, size_t table, size_t i, uint64_t stamp, bool certain) {
  static const char *const names[] = {"ephemeron", "weak-value pair", "weak pair"};
  const midden_word *words = pair_words(here, table, i);
  model_watch *key = &here->keys[table][i], *value = &here->values[table][i];
  bool live_key = model_reached(here, key, stamp), live_value = model_reached(here, value, stamp);
  bool gone = table == MIDDEN_PAIRS_EPHEMERON    ? !live_key
              : table == MIDDEN_PAIRS_WEAK_VALUE ? !live_value
                                                 : !live_key || !live_value;
  bool cleared = words[0] == 0;
  if (cleared != (words[1] == 0)) model_fail(here, "half of %s %zu is cleared", names[table], i);
  if (cleared && !gone) model_fail(here, "%s %zu is cleared, and what it depends on is reachable", names[table], i);
  if (!cleared && gone && certain) model_fail(here, "%s %zu is not cleared, and what it depends on is gone", names[table], i);
  if (!cleared && !here->result->failed) {
    check_target(here, words[0], key, live_key, names[table], i);
    check_target(here, words[1], value, live_value, names[table], i);
  }
  if (cleared || !live_key) key->index = 0;
  if (cleared || !live_value) value->index = 0;
}

void model_weak_check(model *here, uint64_t stamp, bool certain) {
  void *owner;
  for (size_t i = 0; i < MODEL_WEAK_SLOTS + MODEL_WEAK_ELEMENTS && !here->result->failed; i++)
    check_word(here, *weak_word(here, i, &owner), &here->weak[i], stamp, certain, i);
  for (size_t table = 0; table < MODEL_TABLES; table++)
    for (size_t i = 0; i < MODEL_PAIRS && !here->result->failed; i++) check_pair(here, table, i, stamp, certain);
}
