/* One collection, the state's account after it, and when the next one is due.
 *
 * Lua asks at its own check points, which is when the state's debt is positive: the heap never collects by itself. */
#include "guest.h"

#include "lmem.h"
#include "lstring.h"

/* ---- pacing ---- */

/* Bytes between two collections at least, so that a small heap is not collected all the time. */
#define FULL_LEAST ((size_t)256 << 10)
#define NURSERY_LEAST ((size_t)256 << 10)

#define MINOR_FREES_LEAST 4 /* a minor collection pays if it frees a quarter of what is new */
#define MINORS_OFF_MOST 8   /* full collections */

static void wait_for(struct guest *guest, size_t bytes) {
  if (guest->pace.every < bytes) bytes = guest->pace.every;
  if (bytes > (size_t)MAX_LMEM) bytes = (size_t)MAX_LMEM;
  luaE_setdebt(guest->state, -(l_mem)bytes);
}

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

/* Until `setpause` percent of what is in use now. */
static size_t pause_bytes(const global_State *g) {
  size_t used = gettotalbytes(g), percent = (size_t)getgcparam(g->gcpause);
  size_t more = percent > 100 ? percent - 100 : 0;
  return used / 100 > SIZE_MAX / 4 / (more + 1) ? SIZE_MAX / 4 : used / 100 * more;
}

size_t guest_full_threshold(const global_State *g) {
  return g->GCestimate + g->GCestimate / 100 * (size_t)getgcparam(g->genmajormul);
}

/* In generational mode: until the next minor collection, or where they do not pay, until a full one. */
static void wait_for_next(struct guest *guest) {
  const global_State *g = guest->state;
  size_t used = gettotalbytes(g), full = guest_full_threshold(g);
  size_t share = guest->pace.minors_off ? full - (used < full ? used : full) : used / 100 * g->genminormul;
  guest->pace.live = used;
  wait_for(guest, larger(share, NURSERY_LEAST));
}

void guest_pace_full(struct guest *guest) {
  global_State *g = guest->state;
  g->GCestimate = gettotalbytes(g);
  if (guest->pace.minors_off > 0) guest->pace.minors_off--;
  if (isdecGCmodegen(g) && guest->generational) {
    wait_for_next(guest);
  } else {
    wait_for(guest, larger(pause_bytes(g), FULL_LEAST));
  }
}

/* Where most of what is new survives, as in a cache or a structure that grows, a minor collection costs a good part of a full
 * one and frees next to nothing: then there are none for a while, for longer each time. */
void guest_pace_minor(struct guest *guest, size_t before) {
  guest_pace *pace = &guest->pace;
  size_t used = gettotalbytes(guest->state);
  size_t fresh = before > pace->live ? before - pace->live : 0, freed = before > used ? before - used : 0;
  if (freed < fresh / MINOR_FREES_LEAST) {
    pace->minors_back = pace->minors_back ? 2 * pace->minors_back : 1;
    if (pace->minors_back > MINORS_OFF_MOST) pace->minors_back = MINORS_OFF_MOST;
    pace->minors_off = pace->minors_back;
  } else {
    pace->minors_back = 0;
  }
  wait_for_next(guest);
}

/* ---- the account ---- */

/* Objects that have died come off; buffers were taken off when they were freed. */
static void settle_account(struct guest *guest) {
  midden_statistics statistics;
  midden_statistics_read(guest->heap, &statistics);
  account_object(guest, statistics.used_bytes - (size_t)guest->object_bytes);
}

/* ---- collecting ---- */

/* An emergency may come where C code keeps copies of values that nobody could rewrite: nothing moves then. */
static void collect_in_place(struct guest *guest) {
  char collector[sizeof midden_heap_config(guest->heap)->collector];
  snprintf(collector, sizeof collector, "%s", midden_heap_config(guest->heap)->collector);
  if (guest->moves) midden_heap_use(guest->heap, "mark-sweep", NULL);
  midden_collect(guest->mutator, MIDDEN_FULL);
  if (guest->moves) midden_heap_use(guest->heap, collector, NULL);
}

static void shrink_string_table(lua_State *L) {
  const stringtable *table = &G(L)->strt;
  if (table->nuse < table->size / 4) luaS_resize(L, table->size / 2);
}

void guest_collect(lua_State *L, guest_collection collection) {
  global_State *g = G(L);
  struct guest *guest = guest_of(g);
  bool emergency = collection == GUEST_EMERGENCY;
  guest_follow_thread(guest);
  g->gcstopem = 1; /* what is refused while a collection runs is refused */
  guest->running = L;
  guest->blacken = guest->generational && (g->gckind == KGC_GEN || guest->verified);
  guest->minor = collection == GUEST_MINOR && guest->generational && g->gckind == KGC_GEN;
  guest->moving = guest->moves && !emergency; /* a minor one moves nothing, but may become a full one */
  guest->listed = NULL;
  guest_prepare_threads(guest, !guest->minor && !emergency);
  guest->phase = GUEST_MARKING;
  if (emergency) {
    collect_in_place(guest);
  } else {
    midden_collect(guest->mutator, guest->minor ? MIDDEN_MINOR : collection == GUEST_FULL ? MIDDEN_FULL : MIDDEN_PACED);
  }
  guest_forget_tables(guest);
  guest->phase = GUEST_IDLE;
  guest->running = NULL;
  settle_account(guest);
  if (!emergency && !guest->minor) shrink_string_table(L); /* a minor one leaves it: it would grow again */
  g->gcstopem = 0;
}
