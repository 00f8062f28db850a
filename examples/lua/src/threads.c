/* Coroutines. Their stacks have no write barrier, so every collection looks at all of those that live. The list of
 * them is g->allgc, where lua_newthread puts each; the main thread is the last. */
#include "guest.h"

#include "ldo.h"
#include "lfunc.h"

static bool thread_lives(const midden_marking *marking, const lua_State *thread) {
  return midden_marking_is_marked(marking, (uintptr_t)thread_object(thread));
}

/* The values of a dead thread's open upvalues that live. They lie in its stack, which is about to go: rather than
 * have that slot rewritten, what it refers to stays in place this time. */
static void keep_shared(midden_marking *marking, const lua_State *thread) {
  for (UpVal *upvalue = thread->openupval; upvalue; upvalue = upvalue->u.open.next) {
    const TValue *value = upvalue_place(upvalue);
    if (!midden_marking_is_marked(marking, (uintptr_t)upvalue) || !iscollectable(value)) continue;
    midden_marking_keep(marking, (uintptr_t)object_of(rawtt(value), gcvalue(value)));
  }
}

void guest_keep_shared_upvalues(struct guest *guest, midden_marking *marking) {
  for (lua_State **link = &guest->state->twups, *thread; (thread = *link) != NULL;) {
    bool lives = thread_lives(marking, thread);
    if (lives && thread->openupval) {
      link = &thread->twups;
      continue;
    }
    *link = thread->twups;
    thread->twups = thread; /* off the list */
    if (!lives) keep_shared(marking, thread);
  }
}

/* Its upvalues that live are closed now, where they are. */
static void free_thread(struct guest *guest, midden_marking *marking, lua_State *thread) {
  for (UpVal *upvalue = thread->openupval; upvalue && guest->moving; upvalue = upvalue->u.open.next) {
    midden_marking_pin(marking, (uintptr_t)upvalue);
  }
  luaE_freethread(guest->state->mainthread, thread);
}

/* Resurrected threads may have upvalues and be off the list of those that have. */
static void relist(global_State *g, lua_State *thread) {
  if (!thread->openupval || isintwups(thread)) return;
  thread->twups = g->twups;
  g->twups = thread;
}

void guest_free_dead_threads(struct guest *guest, midden_marking *marking) {
  global_State *g = guest->state;
  for (GCObject **link = &g->allgc, *o; (o = *link) != NULL;) {
    lua_State *thread = gco2th(o);
    if (thread_lives(marking, thread)) {
      relist(g, thread);
      link = &o->next;
    } else {
      *link = o->next;
      free_thread(guest, marking, thread);
    }
  }
}

static void note_owner(const struct guest *guest, lua_State *thread) {
  if (thread_is_owned(thread) || thread == guest->state->mainthread) return;
  if (midden_object_at(guest->heap, thread_object(thread))) thread->marked |= HEADER_OWNED;
}

void guest_prepare_threads(struct guest *guest, bool shrink) {
  for (GCObject *o = guest->state->allgc; o; o = o->next) {
    lua_State *thread = gco2th(o);
    if (shrink && stack_base(thread)) luaD_shrinkstack(thread);
    note_owner(guest, thread);
    if (thread_is_owned(thread)) {
      void *object = thread_object(thread);
      midden_written(guest->mutator, object, object, 1);
    }
  }
}

void guest_free_all_threads(lua_State *L) {
  global_State *g = G(L);
  while (g->allgc != obj2gco(g->mainthread)) {
    GCObject *o = g->allgc;
    g->allgc = o->next;
    luaE_freethread(L, gco2th(o));
  }
}
