/* A state's heap: from its first object to its end. */
#include "midden_lua.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"
#include "lauxlib.h"

#define VARIABLE "MIDDEN_LUA"

/* What midden_lua_newstate has for the state that it is making. */
struct making {
  const char *options;
  midden_error *error;
  bool failed;
};

static _Thread_local struct making *making;

/* What is not known to leave objects in place is taken to move them: then nothing is missing but speed. */
static bool collector_moves(const char *collector) {
  return strcmp(collector, "mark-sweep") != 0 && strcmp(collector, "none") != 0;
}

static midden_status open_heap(struct guest *guest, const char *options, midden_error *error) {
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  config.collecting = MIDDEN_COLLECTING_ASKED;
  config.stack = MIDDEN_STACK_PINNING; /* what C code holds is on a Lua stack too: nothing lives by the C stack alone */
  config.generational = true;
  midden_status status = options ? guest_parse_options(guest, &config, options, error) : MIDDEN_OK;
  if (status == MIDDEN_OK && strcmp(config.collector, "none") == 0) config.generational = false;
  if (status == MIDDEN_OK) status = midden_heap_open(&config, &guest->heap, error);
  if (status != MIDDEN_OK) return status;
  guest->mutator = midden_attach(guest->heap, NULL, error);
  if (!guest->mutator) return MIDDEN_NO_MEMORY;
  guest->generational = config.generational;
  guest->verified = config.generational && (config.verify & MIDDEN_VERIFY_BEFORE);
  guest->moves = collector_moves(config.collector);
  status = guest_define_kinds(guest, error);
  if (status == MIDDEN_OK) status = midden_root_scanner_add(guest->heap, guest_scan_roots, guest);
  if (status == MIDDEN_OK) status = midden_phase_add(guest->heap, guest_marking_phase, guest, true);
  return status;
}

static void report(const char *options, const midden_error *error) {
  if (making) {
    making->failed = true;
    if (making->error) *making->error = *error;
    return;
  }
  lua_writestringerror("midden: %s", VARIABLE "=");
  lua_writestringerror("%s: ", options ? options : "");
  lua_writestringerror("%s\n", error->message);
}

/* From here on, the state's memory comes from the heap. */
static void take_over(struct guest *guest, lua_State *L) {
  global_State *g = G(L);
  guest->state = g;
  guest->user = pthread_self();
  guest->first_alloc = g->frealloc;
  guest->first_data = g->ud;
  guest->first_stack = stack_base(g->mainthread);
  guest->main_block = thread_object(g->mainthread);
  g->frealloc = guest_allocate;
  g->ud = guest;
  g->firstold1 = (GCObject *)guest;
}

struct guest *guest_open(lua_State *L) {
  const char *options = making && making->options ? making->options : getenv(VARIABLE);
  midden_error error = {MIDDEN_NO_MEMORY, "no memory"};
  struct guest *guest = calloc(1, sizeof *guest);
  if (guest) {
    guest->pace.every = SIZE_MAX;
    if (open_heap(guest, options, &error) == MIDDEN_OK) {
      take_over(guest, L);
      return guest;
    }
    midden_heap_close(guest->heap);
  }
  report(options, &error);
  free(guest);
  return NULL;
}

void guest_close(struct guest *guest) {
  guest->phase = GUEST_CLOSING;
  guest_follow_thread(guest);
  midden_heap_close(guest->heap);
  free(guest->young.strings);
  free(guest);
}

/* ---- for the host ---- */

lua_State *midden_lua_newstate(const char *options, midden_error *error) {
  struct making mine = {options, error, false}, *outer = making;
  making = &mine;
  lua_State *L = luaL_newstate();
  making = outer;
  if (!L && !mine.failed && error) *error = (midden_error){MIDDEN_NO_MEMORY, "no memory for a Lua state"};
  return L;
}

midden_heap *midden_lua_heap(lua_State *L) { return guest_of(G(L)) ? guest_of(G(L))->heap : NULL; }

midden_mutator *midden_lua_mutator(lua_State *L) { return guest_of(G(L)) ? guest_of(G(L))->mutator : NULL; }

midden_status midden_lua_use(lua_State *L, const char *collector, midden_error *error) {
  struct guest *guest = guest_of(G(L));
  midden_status status = midden_heap_use(guest->heap, collector, error);
  if (status == MIDDEN_OK) guest->moves = collector_moves(collector);
  return status;
}
