/* Hash tables, as objects of the heap.
 *
 * The entries lie in the order in which they were added, key after value, in a vector; a weak table has a kind of its
 * own in its place, whose pairs are ephemerons. A leaf object beside it, twice as long, says for each hash number which
 * entry to look at first. So what depends on hash numbers holds no references: a table that hashes by address is put in
 * order again, after objects have moved, by clearing the index and entering each entry once more, and nothing need be
 * allocated for that. And keys come out in the same order under every collector.
 *
 * An entry that was removed, or whose weak key died, has the key BROKEN. It stays in place until the entries are
 * copied, when they are full or few are left. */
#ifndef SCHEME_HASHTABLE_H
#define SCHEME_HASHTABLE_H

#include "hash.h"

struct hashtable { /* all words are values */
  value entries;   /* a vector, or an object of KIND_WEAK_ENTRIES: key, value, key, ... */
  value index; /* KIND_BYTES: as many uint32_t as `entries` has words: 0, or the number of an entry plus 1 */
  value used;  /* fixnum: entries that were added since they were last copied */
  value size;  /* fixnum: of these, what was not removed; in a weak table, dead ones included */
  value by;    /* fixnum: enum hash_by */
  value is_weak; /* boolean */
  value epoch;   /* fixnum: by address, when the keys were hashed */
};

static inline struct hashtable *hashtable_of(value v) { return object_of(v); }

/* In all that follows, `table` and `key` are where the values are kept up to date: on the VM stack, for most. */

/* An empty table with room for `capacity` entries. MAY COLLECT AND MOVE. post: FAIL: no memory. */
value make_hashtable(struct vm *vm, enum hash_by by, bool is_weak, int64_t capacity);

/* The value's slot, and in *entry the number of its entry; NULL: there is none, and *entry is -1; or memory ran out, and
 * *entry is -2 and the exception is set. MAY COLLECT AND MOVE before it looks. */
value *hashtable_find(struct vm *vm, value *table, const value *key, int64_t *entry);

/* false: no memory; the table is as it was. MAY COLLECT AND MOVE. */
bool hashtable_set(struct vm *vm, value *table, const value *key, const value *content);
bool hashtable_delete(struct vm *vm, value *table, const value *key);

/* Makes it empty and small. MAY COLLECT AND MOVE, but does not fail. */
void hashtable_clear(struct vm *vm, value *table);

/* The number of entries; goes through those of a weak table. */
int64_t hashtable_size(value table);
int64_t hashtable_capacity(value table);

enum hashtable_part { PART_KEYS, PART_VALUES, PART_CELLS };
/* A vector of the keys, of the values, or of pairs of both, in the order in which they were added.
 * MAY COLLECT AND MOVE. post: FAIL: no memory. */
value hashtable_parts(struct vm *vm, value *table, enum hashtable_part part);

#endif
