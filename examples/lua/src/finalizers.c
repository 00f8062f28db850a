/* Finalizers, in Lua's order: the newest registered first. The lists go through the objects' `next`, so what is on them
 * stays in place. */
#include "guest.h"
#include "ldo.h"
#include "ltm.h"

void luaC_checkfinalizer(lua_State *L, GCObject *o, Table *mt) {
  global_State *g = G(L);
  if (tofinalize(o) || gfasttm(g, mt, TM_GC) == NULL || (g->gcstp & GCSTPCLS)) return;
  l_setbit(o->marked, FINALIZEDBIT);
  o->next = g->finobj;
  g->finobj = o;
}

static GCObject **last_link(GCObject **link) {
  while (*link) link = &(*link)->next;
  return link;
}

/* Moves the link's object to the end of the queue. post: the queue's new end. */
static GCObject **queue(GCObject **link, GCObject **end) {
  GCObject *o = *link;
  *link = o->next;
  o->next = NULL;
  *end = o;
  return &o->next;
}

void guest_separate_finalizable(struct guest *guest, midden_marking *marking) {
  global_State *g = guest->state;
  GCObject **end = last_link(&g->tobefnz), **fresh = end, **link = &g->finobj, *o;
  GCObject *until = guest->minor ? guest->old_finalizable : NULL;
  while ((o = *link) != until) {
    if (!is_marked(marking, o->tt, o)) {
      end = queue(link, end);
      continue;
    }
    if (guest->moving) midden_marking_pin(marking, (uintptr_t)o);
    link = &o->next;
  }
  for (o = *fresh; o; o = o->next) midden_marking_keep(marking, (uintptr_t)o);
  guest->old_finalizable = g->finobj; /* what lives now is old when this is over */
}

void guest_separate_all(global_State *g) {
  GCObject **end = last_link(&g->tobefnz);
  while (g->finobj) end = queue(&g->finobj, end);
}

static void call(lua_State *L, void *data) {
  UNUSED(data);
  luaD_callnoyield(L, stack_top(L) - 2, 0);
}

/* Takes the first object off the queue: it is like any other again. */
static void take_next(lua_State *L, TValue *value) {
  global_State *g = G(L);
  GCObject *o = g->tobefnz;
  g->tobefnz = o->next;
  o->next = NULL;
  resetbit(o->marked, FINALIZEDBIT);
  setgcovalue(L, value, o);
}

/* Errors become warnings; hooks and further collections are off meanwhile. */
static void finalize_next(lua_State *L) {
  global_State *g = G(L);
  TValue value;
  take_next(L, &value);
  const TValue *finalizer = luaT_gettmbyobj(L, &value, TM_GC);
  if (notm(finalizer)) return;
  lu_byte hooks = L->allowhook;
  int stopped = g->gcstp;
  g->gcstp |= GCSTPGC;
  L->allowhook = 0;
  setobj2s(L, stack_top(L)++, finalizer);
  setobj2s(L, stack_top(L)++, &value);
  L->ci->callstatus |= CIST_FIN;
  int status = luaD_pcall(L, call, NULL, savestack(L, stack_top(L) - 2), 0);
  L->ci->callstatus &= (unsigned short)~CIST_FIN;
  L->allowhook = hooks;
  g->gcstp = cast_byte(stopped);
  if (l_unlikely(status != LUA_OK)) {
    luaE_warnerror(L, "__gc");
    stack_top(L)--; /* the error object */
  }
}

/* Those that are queued now. What an emergency collection adds meanwhile waits for the next: where memory is short, each
 * finalizer may make an object for which there is another to call. */
void guest_call_finalizers(lua_State *L) {
  const global_State *g = G(L);
  const GCObject *last = g->tobefnz;
  while (last && last->next) last = last->next;
  for (const GCObject *o = NULL; g->tobefnz && o != last;) {
    o = g->tobefnz;
    finalize_next(L);
  }
}

void guest_call_all_finalizers(lua_State *L) {
  while (G(L)->tobefnz) finalize_next(L);
}
