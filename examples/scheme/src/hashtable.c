/* Hash tables. Here are both ways to hash by identity in a heap that moves objects (docs/running.md). */
#include "hashtable.h"

#include <string.h>

#include "equal.h"
#include "heap.h"

enum { CAPACITY_MIN = 8 };
#define CAPACITY_MAX ((int64_t)1 << 30) /* numbers of entries fit the index */

static struct vector *entries_of(const struct hashtable *table) { return untagged(table->entries); }
static uint32_t *index_of(const struct hashtable *table) { return object_of(table->index); }
static uint64_t mask_of(const struct hashtable *table) {
  return (uint64_t)fixnum_of(entries_of(table)->length) - 1;
}
static enum hash_by by_of(const struct hashtable *table) { return (enum hash_by)fixnum_of(table->by); }
static bool weak(const struct hashtable *table) { return table->is_weak == TRUE_VALUE; }

int64_t hashtable_capacity(value table) { return fixnum_of(entries_of(hashtable_of(table))->length) / 2; }

int64_t hashtable_size(value table) {
  const struct hashtable *hashtable = hashtable_of(table);
  if (!weak(hashtable))
    return fixnum_of(hashtable->size);
  const value *items = entries_of(hashtable)->items;
  int64_t size = 0;
  for (int64_t i = 0; i < fixnum_of(hashtable->used); i++)
    size += items[2 * i] != BROKEN;
  return size;
}

/* ---- The index ---- */

static void index_enter(struct hashtable *table, int64_t entry, uint64_t hash) {
  uint64_t mask = mask_of(table), place = hash & mask;
  uint32_t *index = index_of(table);
  while (index[place] != 0)
    place = (place + 1) & mask;
  index[place] = (uint32_t)entry + 1;
}

/* All entries by the hash numbers that their keys have now. Does not allocate. */
static void index_make(struct vm *vm, struct hashtable *table) {
  memset(index_of(table), 0, (mask_of(table) + 1) * sizeof(uint32_t));
  table->epoch = make_fixnum((int64_t)midden_moved_epoch(vm->mutator));
  const value *items = entries_of(table)->items;
  for (int64_t i = 0; i < fixnum_of(table->used); i++) {
    uint64_t hash;
    if (items[2 * i] == BROKEN)
      continue;
    /* It was hashed when it was added, so its identity is known. A key that the program has changed since is lost. */
    if (hash_value(vm, by_of(table), items[2 * i], &hash))
      index_enter(table, i, hash);
  }
}

/* ---- Making, growing, shrinking ---- */

/* post: room for `capacity` entries in *entries and *index; false: no memory, and no exception is set. *entries is
 * allocated last, so that what is stored into it first needs no barrier. */
static bool make_room(struct vm *vm, bool is_weak, int64_t capacity, value *entries, value *index) {
  size_t words = 2 * (size_t)capacity;
  void *slots = midden_alloc_sized(vm->mutator, vm->kinds[KIND_BYTES], words * sizeof(uint32_t));
  if (!slots)
    return false;
  *index = tagged(slots, TAG_OBJECT);
  memset(slots, 0, words * sizeof(uint32_t));
  struct vector *vector =
      midden_alloc_sized(vm->mutator, vm->kinds[is_weak ? KIND_WEAK_ENTRIES : KIND_VECTOR],
                         sizeof *vector + words * sizeof(value));
  if (!vector)
    return false;
  vector->length = make_fixnum((int64_t)words);
  *entries = tagged(vector, is_weak ? TAG_OBJECT : TAG_VECTOR);
  return true;
}

value make_hashtable(struct vm *vm, enum hash_by by, bool is_weak, int64_t capacity) {
  int64_t power = CAPACITY_MIN;
  while (power < capacity && power < CAPACITY_MAX)
    power *= 2;
  if (power < capacity)
    return out_of_memory(vm);
  value entries = NIL, index = NIL;
  struct hashtable *table = NULL;
  SCHEME_FRAME(vm, entries, index);
  if (make_room(vm, is_weak, power, &entries, &index))
    table = midden_alloc(vm->mutator, vm->kinds[KIND_HASHTABLE]);
  SCHEME_END(vm);
  if (!table)
    return out_of_memory(vm);
  heap_initialise(&table->entries, entries);
  heap_initialise(&table->index, index);
  table->by = make_fixnum(by);
  table->is_weak = make_boolean(is_weak);
  table->epoch = make_fixnum((int64_t)midden_moved_epoch(vm->mutator));
  return tagged(table, TAG_OBJECT);
}

/* Copies what is there, leaving out what is gone. post: false: no memory, nothing has changed, no exception is set. */
static bool resize(struct vm *vm, value *table, int64_t capacity) {
  value entries = NIL, index = NIL;
  SCHEME_FRAME(vm, entries, index);
  bool made =
      capacity <= CAPACITY_MAX && make_room(vm, weak(hashtable_of(*table)), capacity, &entries, &index);
  SCHEME_END(vm);
  if (!made)
    return false;
  struct hashtable *hashtable = hashtable_of(*table);
  const value *from = entries_of(hashtable)->items;
  value *to = ((struct vector *)untagged(entries))->items;
  int64_t used = 0;
  for (int64_t i = 0; i < fixnum_of(hashtable->used); i++) {
    if (from[2 * i] == BROKEN)
      continue;
    heap_initialise(&to[2 * used], from[2 * i]);
    heap_initialise(&to[2 * used + 1], from[2 * i + 1]);
    used++;
  }
  heap_store(vm, hashtable, &hashtable->entries, entries);
  heap_store(vm, hashtable, &hashtable->index, index);
  hashtable->used = hashtable->size = make_fixnum(used);
  index_make(vm, hashtable);
  return true;
}

/* The capacity for so many entries: at least half of it is free, so that the next copy is some way off. */
static int64_t capacity_for(int64_t size) {
  int64_t capacity = CAPACITY_MIN;
  while (capacity < 2 * size)
    capacity *= 2;
  return capacity;
}

/* ---- Looking up ---- */

/* Puts a table by address in order, and hashes a key. Where the heap has no memory for an identity, a collection makes
 * some: those of dead objects go. */
static bool prepare(struct vm *vm, value *table, const value *key, uint64_t *hash) {
  enum hash_by by = by_of(hashtable_of(*table));
  if (by == HASH_ADDRESS &&
      hashtable_of(*table)->epoch != make_fixnum((int64_t)midden_moved_epoch(vm->mutator)))
    index_make(vm, hashtable_of(*table));
  if (hash_value(vm, by, *key, hash))
    return true;
  heap_collect(vm);
  if (hash_value(vm, by, *key, hash))
    return true;
  out_of_memory(vm);
  return false;
}

static enum equality same(struct vm *vm, enum hash_by by, value a, value b) {
  if (a == b)
    return EQUAL_YES;
  if (by == HASH_EQUAL)
    return b == BROKEN ? EQUAL_NO : values_equal(vm, a, b);
  return by == HASH_EQV && values_eqv(a, b) ? EQUAL_YES : EQUAL_NO;
}

static value *find_hashed(struct vm *vm, struct hashtable *table, value key, uint64_t hash, int64_t *entry) {
  const uint32_t *index = index_of(table);
  value *items = entries_of(table)->items;
  uint64_t mask = mask_of(table);
  enum hash_by by = by_of(table);
  for (uint64_t place = hash & mask; index[place] != 0; place = (place + 1) & mask) {
    int64_t number = (int64_t)index[place] - 1;
    enum equality equality = same(vm, by, key, items[2 * number]);
    if (equality == EQUAL_NO)
      continue;
    if (equality == EQUAL_NO_MEMORY)
      out_of_memory(vm);
    *entry = equality == EQUAL_YES ? number : -2;
    return equality == EQUAL_YES ? &items[2 * number + 1] : NULL;
  }
  *entry = -1;
  return NULL;
}

value *hashtable_find(struct vm *vm, value *table, const value *key, int64_t *entry) {
  uint64_t hash;
  *entry = -2;
  return prepare(vm, table, key, &hash) ? find_hashed(vm, hashtable_of(*table), *key, hash, entry) : NULL;
}

/* ---- Changing ---- */

bool hashtable_set(struct vm *vm, value *table, const value *key, const value *content) {
  uint64_t hash;
  int64_t entry = -2;
  if (!prepare(vm, table, key, &hash))
    return false;
  value *slot = find_hashed(vm, hashtable_of(*table), *key, hash, &entry);
  if (entry == -2)
    return false;
  struct hashtable *hashtable = hashtable_of(*table);
  if (slot) {
    heap_store(vm, entries_of(hashtable), slot, *content);
    return true;
  }
  if (fixnum_of(hashtable->used) == hashtable_capacity(*table)) {
    if (!resize(vm, table, capacity_for(hashtable_size(*table)))) {
      out_of_memory(vm);
      return false;
    }
    if (!prepare(vm, table, key, &hash)) /* by address: it has another now */
      return false;
    hashtable = hashtable_of(*table);
  }
  entry = fixnum_of(hashtable->used);
  struct vector *entries = entries_of(hashtable);
  heap_store(vm, entries, &entries->items[2 * entry], *key);
  heap_store(vm, entries, &entries->items[2 * entry + 1], *content);
  index_enter(hashtable, entry, hash);
  hashtable->used = make_fixnum(entry + 1);
  hashtable->size += make_fixnum(1);
  return true;
}

bool hashtable_delete(struct vm *vm, value *table, const value *key) {
  int64_t entry;
  value *slot = hashtable_find(vm, table, key, &entry);
  if (!slot)
    return entry == -1;
  struct hashtable *hashtable = hashtable_of(*table);
  struct vector *entries = entries_of(hashtable);
  heap_store(vm, entries, slot - 1, BROKEN);
  heap_store(vm, entries, slot, BROKEN);
  hashtable->size -= make_fixnum(1);
  int64_t size = fixnum_of(hashtable->size), capacity = hashtable_capacity(*table);
  if (capacity > CAPACITY_MIN && size < capacity / 8)
    resize(vm, table, capacity_for(size)); /* if there is no memory, it stays large */
  return true;
}

void hashtable_clear(struct vm *vm, value *table) {
  struct hashtable *hashtable = hashtable_of(*table);
  struct vector *entries = entries_of(hashtable);
  for (int64_t i = 0; i < 2 * fixnum_of(hashtable->used); i++)
    heap_store(vm, entries, &entries->items[i], BROKEN);
  memset(index_of(hashtable), 0, (mask_of(hashtable) + 1) * sizeof(uint32_t));
  hashtable->used = hashtable->size = make_fixnum(0);
  if (hashtable_capacity(*table) > CAPACITY_MIN)
    resize(vm, table, CAPACITY_MIN);
}

/* ---- All of it ---- */

static value fill(struct vm *vm, const struct hashtable *table, value vector, enum hashtable_part part) {
  const value *items = entries_of(table)->items;
  struct vector *to = vector_of(vector);
  int64_t at = 0;
  for (int64_t i = 0; i < fixnum_of(table->used) && at < vector_length(vector); i++)
    if (items[2 * i] != BROKEN)
      heap_store(vm, to, &to->items[at++], items[2 * i + (part == PART_VALUES)]);
  return make_fixnum(at);
}

/* The keys are put into pairs with their values. They are held by the vector meanwhile, so that entries of a weak table
 * do not go. */
static bool make_cells(struct vm *vm, value *table, value *vector) {
  for (int64_t at = 0, i = 0; at < vector_length(*vector); i++) {
    const value *items = entries_of(hashtable_of(*table))->items;
    if (items[2 * i] == BROKEN)
      continue;
    value cell = make_pair(vm, items[2 * i], items[2 * i + 1]);
    if (cell == FAIL)
      return false;
    heap_store(vm, vector_of(*vector), &vector_of(*vector)->items[at++], cell);
  }
  return true;
}

value hashtable_parts(struct vm *vm, value *table, enum hashtable_part part) {
  value vector = NIL;
  SCHEME_FRAME(vm, vector);
  do {
    vector = make_vector(vm, hashtable_size(*table), FALSE_VALUE); /* some weak keys may die of this */
  } while (vector != FAIL && fill(vm, hashtable_of(*table), vector, part) != vector_of(vector)->length);
  if (vector != FAIL && part == PART_CELLS && !make_cells(vm, table, &vector))
    vector = FAIL;
  SCHEME_END(vm);
  return vector;
}
