/* What Lua's objects refer to: trace functions, and the roots.
 *
 * A key that is hashed by its address must stay where it is while it is a key: in a collection that moves, such keys are
 * pinned. So are open upvalues, which are links of a list through their own fields. Strings, userdata, prototypes and
 * threads are of pinned kinds: while references are being rewritten, only those to the rest are visited. */
#include <string.h>

#include "guest.h"
#include "lfunc.h"
#include "ltable.h"
#include "ltm.h"

/* ---- slots ---- */

static inline void visit_thread(midden_visitor *visitor, const GCObject *thread) {
  void *object = thread_object(thread);
  midden_visit(visitor, &object);
}

static inline void visit_slot(midden_visitor *visitor, lu_byte tag, GCObject **slot) {
  if (l_unlikely(tag_is_thread(tag))) {
    visit_thread(visitor, *slot);
  } else {
    midden_visit(visitor, slot);
  }
}

static inline void visit_value(midden_visitor *visitor, TValue *value) {
  if (iscollectable(value)) visit_slot(visitor, rawtt(value), &val_(value).gc);
}

static inline void visit_values(midden_visitor *visitor, TValue *value, size_t count) {
  for (TValue *end = value + count; value < end; value++) visit_value(visitor, value);
}

/* Of a value that is being rewritten. */
static inline void fix_value(midden_visitor *visitor, TValue *value) {
  if (iscollectable(value) && tag_moves(rawtt(value))) midden_visit(visitor, &val_(value).gc);
}

static inline void fix_values(midden_visitor *visitor, TValue *value, size_t count) {
  for (TValue *end = value + count; value < end; value++) fix_value(visitor, value);
}

/* A reference that may be NULL to an object that has its own field. */
static inline void visit_field(midden_visitor *visitor, void *field) {
  if (*(void **)field) midden_visit(visitor, field);
}

static inline void blacken(const struct guest *guest, GCObject *o) {
  if (guest->blacken) o->marked = cast_byte((o->marked & ~WHITEBITS) | bitmask(BLACKBIT));
}

/* ---- tables ---- */

weak_mode guest_weak_mode(struct guest *guest, const Table *h) {
  if (!h->metatable) return WEAK_NOT;
  const TValue *mode = gfasttm(guest->state, h->metatable, TM_MODE);
  if (!mode || !ttisstring(mode)) return WEAK_NOT;
  const char *text = getstr(tsvalue(mode));
  return (weak_mode)((strchr(text, 'k') ? WEAK_KEYS : 0) | (strchr(text, 'v') ? WEAK_VALUES : 0));
}

/* Has the end of marking look at a table. */
static void list_table(struct guest *guest, Table *h) {
  if (guest->phase != GUEST_MARKING || (h->marked & HEADER_LISTED)) return;
  h->marked |= HEADER_LISTED;
  h->gclist = (GCObject *)guest->listed;
  guest->listed = h;
}

static inline void visit_key(const struct guest *guest, midden_visitor *visitor, Node *node) {
  lu_byte tag = keytt(node);
  if (guest->moving && !tag_is_string(tag)) {
    midden_visit_pinned(visitor, object_of(tag, gckey(node)));
  } else {
    visit_slot(visitor, tag, &gckey(node));
  }
}

/* An entry that was removed. A string for its key can be found by `next` as long as nobody else has its address. What is
 * found by address must be known to be dead, or stay in place: post: whether the end of marking must look at it. */
static inline bool removed_key_waits(Node *node) {
  if (!keyiscollectable(node)) return false;
  if (!tag_is_string(keytt(node))) return true;
  setdeadkey(node);
  return false;
}

static void trace_strong_table(struct guest *guest, Table *h, midden_visitor *visitor) {
  visit_values(visitor, h->array, luaH_realasize(h));
  if (isdummy(h)) return;
  bool waits = false;
  for (Node *node = gnode(h, 0), *end = node + sizenode(h); node < end; node++) {
    if (isempty(gval(node))) {
      waits |= removed_key_waits(node);
      continue;
    }
    if (keyiscollectable(node)) visit_key(guest, visitor, node);
    visit_value(visitor, gval(node));
  }
  if (waits) list_table(guest, h);
}

/* Strings are values, and never weak: they are marked here. The rest of a weak value waits for the end of marking;
 * the heap's own tools are told of it. */
static void visit_weak_value(const struct guest *guest, midden_visitor *visitor, TValue *value) {
  if (!iscollectable(value)) return;
  if (ttisstring(value)) {
    visit_value(visitor, value);
  } else if (guest->phase == GUEST_IDLE && !ttisthread(value)) {
    midden_visit_weak(visitor, &val_(value).gc, MIDDEN_WEAK_SHORT);
  }
}

static void visit_weak_key(const struct guest *guest, midden_visitor *visitor, Node *node) {
  if (!keyiscollectable(node)) return;
  if (tag_is_string(keytt(node))) {
    midden_visit(visitor, &gckey(node));
  } else if (guest->phase == GUEST_IDLE && !tag_is_thread(keytt(node))) {
    midden_visit_weak(visitor, &gckey(node), MIDDEN_WEAK_LONG);
  }
}

/* In a table of which both are weak, a string that is the key to an object goes with it. */
static void visit_weak_pair(const struct guest *guest, midden_visitor *visitor, Node *node) {
  const TValue *value = gval(node);
  bool waits = guest->phase == GUEST_MARKING && iscollectable(value) && !ttisstring(value);
  if (!waits) visit_weak_key(guest, visitor, node);
}

static void trace_weak_values(struct guest *guest, Table *h, midden_visitor *visitor, bool weak_keys) {
  unsigned int array_size = luaH_realasize(h);
  for (unsigned int i = 0; i < array_size; i++) visit_weak_value(guest, visitor, &h->array[i]);
  list_table(guest, h);
  if (isdummy(h)) return;
  for (Node *node = gnode(h, 0), *end = node + sizenode(h); node < end; node++) {
    if (isempty(gval(node))) {
      removed_key_waits(node);
      continue;
    }
    if (weak_keys) {
      visit_weak_pair(guest, visitor, node);
    } else if (keyiscollectable(node)) {
      visit_key(guest, visitor, node);
    }
    visit_weak_value(guest, visitor, gval(node));
  }
}

/* An entry whose key is weak and whose value is held by it. The heap knows references to the start of objects: where
 * a coroutine is one of the two, the end of marking sees to it. */
static void trace_ephemeron(struct guest *guest, Table *h, Node *node, midden_visitor *visitor) {
  TValue *value = gval(node);
  if (tag_is_thread(keytt(node)) || ttisthread(value)) {
    if (guest->phase == GUEST_MARKING) h->marked |= HEADER_THREADS;
  } else if (iscollectable(value)) {
    midden_visit_ephemeron(visitor, &gckey(node), &val_(value).gc);
  }
}

static void trace_weak_keys(struct guest *guest, Table *h, midden_visitor *visitor) {
  visit_values(visitor, h->array, luaH_realasize(h));
  list_table(guest, h);
  if (isdummy(h)) return;
  for (Node *node = gnode(h, 0), *end = node + sizenode(h); node < end; node++) {
    if (isempty(gval(node))) {
      removed_key_waits(node);
    } else if (keyiscollectable(node) && !tag_is_string(keytt(node))) {
      trace_ephemeron(guest, h, node, visitor);
    } else {
      visit_weak_key(guest, visitor, node);
      visit_value(visitor, gval(node));
    }
  }
}

/* What is left in a table now is alive, weak or not; its keys have not moved. */
static void fix_table(Table *h, midden_visitor *visitor) {
  visit_field(visitor, &h->metatable);
  fix_values(visitor, h->array, luaH_realasize(h));
  if (isdummy(h)) return;
  for (Node *node = gnode(h, 0), *end = node + sizenode(h); node < end; node++) fix_value(visitor, gval(node));
}

void guest_trace_table(void *object, size_t size, midden_visitor *visitor, void *context) {
  struct guest *guest = context;
  Table *h = object;
  (void)size;
  if (guest->phase == GUEST_FIXING) {
    fix_table(h, visitor);
    return;
  }
  blacken(guest, obj2gco(h));
  weak_mode mode = WEAK_NOT;
  if (h->metatable) {
    midden_visit(visitor, &h->metatable);
    mode = guest_weak_mode(guest, h);
  }
  if (l_likely(mode == WEAK_NOT)) {
    trace_strong_table(guest, h, visitor);
  } else if (mode == WEAK_KEYS) {
    trace_weak_keys(guest, h, visitor);
  } else {
    trace_weak_values(guest, h, visitor, mode == WEAK_BOTH);
  }
}

/* ---- functions ---- */

void guest_trace_lua_closure(void *object, size_t size, midden_visitor *visitor, void *context) {
  const struct guest *guest = context;
  LClosure *closure = object;
  (void)size;
  if (guest->phase != GUEST_FIXING) {
    blacken(guest, obj2gco(closure));
    visit_field(visitor, &closure->p);
  }
  for (int i = 0; i < closure->nupvalues; i++) visit_field(visitor, &closure->upvals[i]);
}

void guest_trace_c_closure(void *object, size_t size, midden_visitor *visitor, void *context) {
  const struct guest *guest = context;
  CClosure *closure = object;
  (void)size;
  if (guest->phase == GUEST_FIXING) {
    fix_values(visitor, closure->upvalue, closure->nupvalues);
    return;
  }
  blacken(guest, obj2gco(closure));
  visit_values(visitor, closure->upvalue, closure->nupvalues);
}

/* A closed upvalue points to its own field: where that goes follows from where the upvalue goes. That may be asked for
 * when it is still at its old place, or is at the new one already. An open one is pinned. */
static void fix_upvalue(UpVal *upvalue, midden_visitor *visitor) {
  if (!(upvalue->marked & HEADER_CLOSED)) {
    if (!upisopen(upvalue)) fix_value(visitor, &upvalue->u.value);
    return;
  }
  void *self = (char *)upvalue_place(upvalue) - offsetof(UpVal, u);
  midden_visit(visitor, &self);
  upvalue_place(upvalue) = (TValue *)(void *)((char *)self + offsetof(UpVal, u));
  fix_value(visitor, &upvalue->u.value);
}

/* An open upvalue's value lies in the stack of a thread, which may be dead, and then lives by the upvalue alone. Whoever
 * owns the slot has it rewritten: the thread, or the upvalue, which is closed when the thread is freed. */
static void visit_borrowed(midden_visitor *visitor, const TValue *value) {
  if (!value) return; /* the upvalue is being made */
  TValue copy = *value;
  visit_value(visitor, &copy);
}

void guest_trace_upvalue(void *object, size_t size, midden_visitor *visitor, void *context) {
  const struct guest *guest = context;
  UpVal *upvalue = object;
  (void)size;
  if (guest->phase == GUEST_FIXING) {
    fix_upvalue(upvalue, visitor);
    return;
  }
  if (upisopen(upvalue)) {
    visit_borrowed(visitor, upvalue_place(upvalue));
    upvalue->marked &= cast_byte(~HEADER_CLOSED);
    /* Grey: stores to it are not told of, and its thread is looked at each time. */
    if (guest->blacken) upvalue->marked &= cast_byte(~(WHITEBITS | bitmask(BLACKBIT)));
    return;
  }
  upvalue->marked |= HEADER_CLOSED;
  blacken(guest, obj2gco(upvalue));
  visit_value(visitor, &upvalue->u.value);
}

/* While it is being built, its arrays are larger than needed and filled with NULL. */
void guest_trace_prototype(void *object, size_t size, midden_visitor *visitor, void *context) {
  const struct guest *guest = context;
  Proto *f = object;
  (void)size;
  if (guest->phase == GUEST_FIXING) return; /* strings, numbers and prototypes: nothing that moves */
  blacken(guest, obj2gco(f));
  visit_field(visitor, &f->source);
  visit_values(visitor, f->k, (size_t)f->sizek);
  for (int i = 0; i < f->sizeupvalues; i++) visit_field(visitor, &f->upvalues[i].name);
  for (int i = 0; i < f->sizep; i++) visit_field(visitor, &f->p[i]);
  for (int i = 0; i < f->sizelocvars; i++) visit_field(visitor, &f->locvars[i].varname);
}

/* ---- userdata ---- */

void guest_trace_userdata(void *object, size_t size, midden_visitor *visitor, void *context) {
  const struct guest *guest = context;
  Udata *userdata = object;
  (void)size;
  visit_field(visitor, &userdata->metatable);
  if (guest->phase != GUEST_FIXING) blacken(guest, obj2gco(userdata));
  for (int i = 0; i < userdata->nuvalue; i++) {
    if (guest->phase == GUEST_FIXING) {
      fix_value(visitor, &userdata->uv[i].uv);
    } else {
      visit_value(visitor, &userdata->uv[i].uv);
    }
  }
}

/* ---- threads ---- */

static void trace_stack(const struct guest *guest, lua_State *thread, midden_visitor *visitor) {
  StkId slot = stack_base(thread);
  if (!slot) return; /* not completely built yet */
  if (guest->phase == GUEST_FIXING) {
    for (; slot < stack_top(thread); slot++) fix_value(visitor, s2v(slot));
    return;
  }
  for (; slot < stack_top(thread); slot++) visit_value(visitor, s2v(slot));
  for (UpVal *upvalue = thread->openupval; upvalue; upvalue = upvalue->u.open.next) midden_visit_pinned(visitor, upvalue);
  if (guest->phase != GUEST_MARKING) return;
  /* What lies above may come to life again, when the stack grows into it. */
  for (; slot < stack_limit(thread) + EXTRA_STACK; slot++) setnilvalue(s2v(slot));
}

void guest_trace_thread(void *object, size_t size, midden_visitor *visitor, void *context) {
  const struct guest *guest = context;
  lua_State *thread = &((thread_block *)object)->state;
  (void)size;
  if (guest->phase != GUEST_FIXING) blacken(guest, obj2gco(thread));
  trace_stack(guest, thread, visitor);
}

/* ---- roots ---- */

/* Threads that are no objects of the heap: the main one, and those that an allocator of the host's has made. */
static void scan_outer_threads(struct guest *guest, midden_visitor *visitor) {
  for (GCObject *o = guest->state->allgc; o; o = o->next) {
    if (!thread_is_owned(gco2th(o))) trace_stack(guest, gco2th(o), visitor);
  }
}

static void scan_lists(struct guest *guest, midden_visitor *visitor) {
  const global_State *g = guest->state;
  for (GCObject *o = g->fixedgc; o; o = o->next) midden_visit_pinned(visitor, object_of(o->tt, o));
  for (GCObject *o = g->tobefnz; o; o = o->next) midden_visit_pinned(visitor, object_of(o->tt, o));
  if (guest->running && thread_is_owned(guest->running)) midden_visit_pinned(visitor, thread_object(guest->running));
}

void guest_scan_roots(midden_visitor *visitor, void *context) {
  struct guest *guest = context;
  global_State *g = guest->state;
  if (guest->phase == GUEST_CLOSING) return;
  if (guest->phase != GUEST_FIXING) scan_lists(guest, visitor);
  fix_value(visitor, &g->l_registry); /* a table, if anything */
  for (size_t i = 0; i < METATABLE_COUNT; i++) visit_field(visitor, &g->mt[i]);
  scan_outer_threads(guest, visitor);
}
