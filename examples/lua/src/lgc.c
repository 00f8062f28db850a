/* What Lua calls of its collector: the functions of lgc.h, over midden.
 *
 * Every object is white and stays so, until it survives a collection in generational mode; then it is black, and
 * Lua's own barriers call for stores of white ones into it. currentwhite never changes, so nothing is ever dead to isdead:
 * what is dead is gone from the string table before anybody looks. (Chapter by chapter, what is asked of a collector and
 * why: docs/lua.md.) */
#include "guest.h"
#include "ldo.h"
#include "lfunc.h"
#include "lmem.h"
#include "midden_lua.h"

/* ---- objects ---- */

/* post: NULL if memory is refused; *cell: the bytes that it takes. */
static inline GCObject *new_cell(struct guest *guest, int tt, size_t size, size_t *cell) {
  midden_mutator *mutator = guest->mutator;
  *cell = cell_bytes(size);
  switch (tt) {
    case LUA_VSHRSTR: return midden_alloc_sized(mutator, guest->short_string, size);
    case LUA_VTABLE: return midden_alloc(mutator, guest->table);
    case LUA_VLCL: return midden_alloc_sized(mutator, guest->lua_closure, size);
    case LUA_VUPVAL: return midden_alloc(mutator, guest->upvalue);
    case LUA_VCCL: return midden_alloc_sized(mutator, guest->c_closure, size);
    case LUA_VLNGSTR: return midden_alloc_sized(mutator, guest->long_string, size);
    case LUA_VPROTO: return midden_alloc(mutator, guest->prototype);
    case LUA_VTHREAD: return midden_alloc(mutator, guest->thread);
    default: {
      void *userdata = midden_alloc_sized(mutator, guest->userdata, size);
      if (userdata) *cell = midden_size_of(guest->heap, userdata); /* alignment may have asked for more */
      return userdata;
    }
  }
}

/* The first object of a state; a state in another thread than before; no memory, which an emergency may help. */
static __attribute__((noinline)) GCObject *new_cell_slow(lua_State *L, int tt, size_t size, size_t *cell) {
  global_State *g = G(L);
  struct guest *guest = guest_of(g);
  if (!guest && !(guest = guest_open(L))) luaM_error(L);
  GCObject *o = new_cell(guest, tt, size, cell);
  if (!o && guest_follow_thread(guest)) o = new_cell(guest, tt, size, cell);
  if (!o && completestate(g) && !g->gcstopem) {
    luaC_fullgc(L, 1);
    o = new_cell(guest, tt, size, cell);
  }
  if (!o) luaM_error(L);
  return o;
}

static inline GCObject *new_object(lua_State *L, int tt, size_t size, size_t offset) {
  global_State *g = G(L);
  struct guest *guest = guest_of(g);
  size_t cell;
  GCObject *o = l_likely(guest) ? new_cell(guest, tt, size, &cell) : NULL;
  if (l_unlikely(!o)) {
    o = new_cell_slow(L, tt, size, &cell);
    guest = guest_of(g);
  }
  account_object(guest, cell);
  o = (GCObject *)(void *)((char *)o + offset);
  o->marked = luaC_white(g);
  o->tt = cast_byte(tt);
  o->next = NULL;
  return o;
}

GCObject *luaC_newobj(lua_State *L, int tt, size_t size) {
  GCObject *o = new_object(L, tt, size, 0);
  if (tt == LUA_VSHRSTR && G(L)->gckind == KGC_GEN) guest_note_young_string(guest_of(G(L)), gco2ts(o));
  return o;
}

#if LUA_HAS_NEWOBJDT
/* With an offset it is a thread, which goes on the list of them. */
GCObject *luaC_newobjdt(lua_State *L, int tt, size_t size, size_t offset) {
  global_State *g = G(L);
  if (offset == 0) return luaC_newobj(L, tt, size);
  GCObject *o = new_object(L, LUA_VTHREAD, size, offset);
  o->tt = cast_byte(tt);
  o->next = g->allgc;
  g->allgc = o;
  return o;
}
#endif

void luaC_fix(lua_State *L, GCObject *o) {
  global_State *g = G(L);
  o->next = g->fixedgc;
  g->fixedgc = o;
}

/* ---- barriers: an old object is about to refer to a young one ---- */

/* It is looked at in the next minor collection, and until then its stores are not told of any more. */
static void remember(lua_State *L, GCObject *o) {
  const struct guest *guest = guest_of(G(L));
  if (guest->phase != GUEST_IDLE) return; /* an upvalue that is closed while its thread is freed: it is marked already */
  resetbit(o->marked, BLACKBIT);
  if (o->tt != LUA_VTHREAD) midden_written(guest->mutator, o, o, sizeof(Table) / sizeof(midden_word));
}

void luaC_barrier_(lua_State *L, GCObject *o, GCObject *v) {
  UNUSED(v);
  remember(L, o);
}

void luaC_barrierback_(lua_State *L, GCObject *o) { remember(L, o); }

/* ---- collecting ---- */

static void full_collection(lua_State *L, guest_collection collection) {
  guest_collect(L, collection);
  guest_pace_full(guest_of(G(L)));
}

/* A full one when the heap has grown by genmajormul percent since the last full one. A step that a program asks for is
 * a minor one: it is made without a debt. */
static void generational_step(lua_State *L) {
  global_State *g = G(L);
  size_t used = gettotalbytes(g);
  if (g->GCdebt > 0 && used > guest_full_threshold(g)) {
    full_collection(L, GUEST_PACED);
  } else {
    guest_collect(L, GUEST_MINOR);
    guest_pace_minor(guest_of(g), used);
  }
}

void luaC_step(lua_State *L) {
  global_State *g = G(L);
  if (!gcrunning(g)) {
    luaE_setdebt(g, -2000); /* not to be asked again at once */
    return;
  }
  if (isdecGCmodegen(g) && guest_of(g)->generational) {
    generational_step(L);
  } else {
    full_collection(L, GUEST_PACED);
  }
  guest_call_finalizers(L);
}

void luaC_fullgc(lua_State *L, int emergency) {
  global_State *g = G(L);
  g->gcemergency = cast_byte(emergency);
  full_collection(L, emergency ? GUEST_EMERGENCY : GUEST_FULL);
  if (!emergency) guest_call_finalizers(L);
  g->gcemergency = 0;
}

/* Entering generational mode, what lives becomes old, and black. */
void luaC_changemode(lua_State *L, int mode) {
  global_State *g = G(L);
  g->lastatomic = 0;
  if (mode == g->gckind) return;
  g->gckind = cast_byte(mode);
  if (mode == KGC_GEN && guest_of(g)) full_collection(L, GUEST_PACED);
}

/* For stock's internal tests only: there are no states here to run to. */
void luaC_runtilstate(lua_State *L, int states) { UNUSED(L), UNUSED(states); }

/* ---- the end ---- */

void luaC_freeallobjects(lua_State *L) {
  global_State *g = G(L);
  struct guest *guest = guest_of(g);
  g->gcstp = GCSTPCLS;
  luaC_changemode(L, KGC_INC);
  guest_separate_all(g);
  guest_call_all_finalizers(L);
  if (!guest) return; /* there are none */
  guest_follow_thread(guest);
  guest_free_all_threads(L);
  guest->phase = GUEST_CLOSING;
  guest_free_all_buffers(guest);
  account_object(guest, (size_t)-guest->object_bytes);
  g->strt.nuse = 0;
}
