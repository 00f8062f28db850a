/* Coroutines. Their stacks have no write barrier, so every collection looks at all of those that live. The list of
 * them is g->allgc, where lua_newthread puts each; the main thread is the last. */
#include "guest.h"

#include "ldo.h"
#include "lfunc.h"

static bool thread_lives(const midden_marking *marking, const lua_State *thread) {
  return midden_marking_is_marked(marking, (uintptr_t)thread_object(thread));
}

/* Its upvalues that live are closed now, where they are. */
static void free_thread(struct guest *guest, midden_marking *marking, lua_State *thread) {
  for (UpVal *upvalue = thread->openupval; upvalue && guest->moving; upvalue = upvalue->u.open.next) {
    midden_marking_pin(marking, (uintptr_t)upvalue);
  }
  luaE_freethread(guest->state->mainthread, thread);
}

/* The list of threads that have open upvalues is made anew: of those that live. */
static void list_upvalues(global_State *g, lua_State *thread) {
  thread->twups = thread;
  if (!thread->openupval) return;
  thread->twups = g->twups;
  g->twups = thread;
}

void guest_free_dead_threads(struct guest *guest, midden_marking *marking) {
  global_State *g = guest->state;
  g->twups = NULL;
  for (GCObject **link = &g->allgc, *o; (o = *link) != NULL;) {
    lua_State *thread = gco2th(o);
    if (thread_lives(marking, thread)) {
      list_upvalues(g, thread);
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

/* What a thread and its open upvalues refer to has changed without a word. The upvalues need not be looked at, for the
 * thread is; but the verifier cannot know that. */
static void announce(const struct guest *guest, lua_State *thread) {
  void *object = thread_object(thread);
  if (thread_is_owned(thread)) midden_written(guest->mutator, object, object, 1);
  if (!guest->verified) return;
  for (UpVal *upvalue = thread->openupval; upvalue; upvalue = upvalue->u.open.next) {
    midden_written(guest->mutator, upvalue, upvalue, sizeof *upvalue / sizeof(midden_word));
  }
}

void guest_prepare_threads(struct guest *guest, bool shrink) {
  for (GCObject *o = guest->state->allgc; o; o = o->next) {
    lua_State *thread = gco2th(o);
    if (shrink && stack_base(thread)) luaD_shrinkstack(thread);
    note_owner(guest, thread);
    announce(guest, thread);
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
