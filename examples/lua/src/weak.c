/* Weak tables at the end of marking. Tracing has listed each table that has something to be decided: weak ones, and
 * those from which an entry with an object for a key was removed. Nothing has moved yet. */
#include "guest.h"
#include "lgc.h"
#include "ltable.h"

static inline bool is_dead(const midden_marking *marking, lu_byte tag, const GCObject *o) {
  return !tag_is_string(tag) && !is_marked(marking, tag, o);
}

static inline bool value_is_dead(const midden_marking *marking, const TValue *value) {
  return iscollectable(value) && is_dead(marking, rawtt(value), gcvalue(value));
}

static inline bool key_is_dead(const midden_marking *marking, const Node *node) {
  return keyiscollectable(node) && is_dead(marking, keytt(node), gckey(node));
}

static inline Table *next_listed(const Table *h) { return (Table *)h->gclist; }

/* The verifier has visited dead tables too, before marking began. One that comes back to life is listed anew, before the
 * others. */
void guest_drop_dead_tables(struct guest *guest, const midden_marking *marking) {
  Table *h = guest->listed;
  guest->listed = NULL;
  for (Table *next; h; h = next) {
    next = next_listed(h);
    if (midden_marking_is_marked(marking, (uintptr_t)h)) {
      h->gclist = (GCObject *)guest->listed;
      guest->listed = h;
    } else {
      h->marked &= cast_byte(~(HEADER_LISTED | HEADER_THREADS));
    }
  }
}

/* ---- coroutines in ephemerons ---- */

/* post: whether something was marked. */
static bool settle_thread_keys_of(midden_marking *marking, Table *h) {
  bool changed = false;
  for (Node *node = gnode(h, 0), *end = node + sizenode(h); node < end; node++) {
    const TValue *value = gval(node);
    if (!iscollectable(value) || is_marked(marking, rawtt(value), gcvalue(value)) || key_is_dead(marking, node)) continue;
    midden_marking_keep(marking, (uintptr_t)object_of(rawtt(value), gcvalue(value)));
    changed = true;
  }
  return changed;
}

void guest_settle_thread_keys(struct guest *guest, midden_marking *marking) {
  bool changed;
  do {
    changed = false;
    for (Table *h = guest->listed; h; h = next_listed(h)) {
      if (h->marked & HEADER_THREADS) changed |= settle_thread_keys_of(marking, h);
    }
  } while (changed);
}

/* ---- clearing ---- */

/* A string that is the key to an object that lives, where both are weak: only now is it known to stay. */
static void keep_string_key(midden_marking *marking, const Node *node) {
  if (isempty(gval(node)) || !keyiscollectable(node) || !tag_is_string(keytt(node))) return;
  if (!is_marked(marking, keytt(node), gckey(node))) midden_marking_keep(marking, (uintptr_t)gckey(node));
}

static void clear_values_of(midden_marking *marking, Table *h, bool weak_keys) {
  unsigned int array_size = luaH_realasize(h);
  for (unsigned int i = 0; i < array_size; i++) {
    if (value_is_dead(marking, &h->array[i])) setempty(&h->array[i]);
  }
  if (isdummy(h)) return;
  for (Node *node = gnode(h, 0), *end = node + sizenode(h); node < end; node++) {
    if (value_is_dead(marking, gval(node))) setempty(gval(node));
    if (weak_keys) keep_string_key(marking, node);
  }
}

void guest_clear_values(struct guest *guest, midden_marking *marking, const Table *until) {
  for (Table *h = guest->listed; h != until; h = next_listed(h)) {
    weak_mode mode = guest_weak_mode(guest, h);
    if (mode & WEAK_VALUES) clear_values_of(marking, h, mode & WEAK_KEYS);
  }
}

/* A key by address: it stays where it is, as long as `next` may look for it. */
static void pin_key(const struct guest *guest, midden_marking *marking, const Node *node) {
  if (guest->moving) midden_marking_pin(marking, (uintptr_t)object_of(keytt(node), gckey(node)));
}

/* The key of an entry that is no more. `next` finds it by its address: if nobody else has it, it need not be found. */
static void settle_removed_key(const struct guest *guest, midden_marking *marking, Node *node) {
  if (!keyiscollectable(node)) return;
  if (tag_is_string(keytt(node))) {
    setdeadkey(node);
  } else if (is_marked(marking, keytt(node), gckey(node))) {
    pin_key(guest, marking, node);
  } else {
    gckey(node) = NULL;
    setdeadkey(node);
  }
}

static void finish_table(const struct guest *guest, midden_marking *marking, Table *h, weak_mode mode) {
  if (isdummy(h)) return;
  for (Node *node = gnode(h, 0), *end = node + sizenode(h); node < end; node++) {
    if ((mode & WEAK_KEYS) && !isempty(gval(node))) {
      if (key_is_dead(marking, node)) {
        setempty(gval(node));
      } else if (keyiscollectable(node) && !tag_is_string(keytt(node))) {
        pin_key(guest, marking, node);
      }
    }
    if (isempty(gval(node))) settle_removed_key(guest, marking, node);
  }
}

static Table *take_listed(struct guest *guest) {
  Table *h = guest->listed;
  guest->listed = next_listed(h);
  h->marked &= cast_byte(~(HEADER_LISTED | HEADER_THREADS));
  return h;
}

void guest_forget_tables(struct guest *guest) {
  while (guest->listed) take_listed(guest);
}

void guest_finish_tables(struct guest *guest, midden_marking *marking) {
  while (guest->listed) {
    Table *h = take_listed(guest);
    finish_table(guest, marking, h, guest_weak_mode(guest, h));
  }
}
