/* States: panic functions, allocators, memory that runs out, states inside finalizers and in other threads. */
#include "api.h"

#include <pthread.h>
#include <setjmp.h>

static jmp_buf escape;

static int jump_out(lua_State *L) {
  CHECK(strcmp(lua_tostring(L, -1), "unprotected") == 0, "the error object");
  longjmp(escape, 1);
}

/* The panic function is the host's: whatever the collector does, it is the one that was set, and it is called. */
void api_panic(const char *options) {
  lua_State *L = host_open(options, "generational");
  lua_CFunction before = lua_atpanic(L, jump_out);
  host_collect(L);
  lua_State *T = lua_newthread(L);
  host_collect(L);
  CHECK(lua_atpanic(T, jump_out) == jump_out, "still the host's");
  lua_pop(L, 1);
  if (setjmp(escape) == 0) {
    lua_pushliteral(L, "unprotected");
    lua_error(L);
  }
  lua_settop(L, 0);
  host_collect(L);
  host_run(L, "local t = {}; for i = 1, 100 do t[i] = {i} end; assert(t[100][1] == 100)", 0);
  CHECK(lua_atpanic(L, before) == jump_out, "still the host's after it was called");
  lua_close(L);
}

/* An allocator that keeps account of its blocks, and forwards to another one. */
typedef struct account {
  lua_Alloc previous;
  void *previous_context;
  struct block {
    void *address;
    size_t size;
  } * blocks; /* an open hash table */
  size_t capacity, live, requests, wrong_sizes, given_twice;
} account;

enum { REMOVED = 1 };

static struct block *find_block(account *a, const void *address) {
  size_t i = ((size_t)address >> 4) * 2654435761u % a->capacity;
  while (a->blocks[i].address && a->blocks[i].address != address)
    i = (i + 1) % a->capacity;
  return &a->blocks[i];
}

static void remember_block(account *a, void *address, size_t size) {
  struct block *b = find_block(a, address);
  a->given_twice += b->address && b->size != REMOVED;
  *b = (struct block){address, size * 2}; /* doubled, so that no size is REMOVED */
  a->live++;
}

static void *accounting(void *context, void *address, size_t old_size, size_t new_size) {
  account *a = context;
  struct block known = {NULL, 0};
  a->requests++;
  if (address) {
    struct block *b = find_block(a, address);
    if (b->address && b->size != REMOVED)
      known = *b;
    a->wrong_sizes += known.address && known.size != old_size * 2;
  }
  void *result = a->previous(a->previous_context, address, old_size, new_size);
  if (known.address && (result || new_size == 0)) {
    find_block(a, address)->size = REMOVED;
    a->live--;
  }
  if (result && new_size)
    remember_block(a, result, new_size);
  return result;
}

static void open_account(account *a, lua_Alloc previous, void *previous_context) {
  *a = (account){.previous = previous, .previous_context = previous_context, .capacity = 1 << 20};
  a->blocks = calloc(a->capacity, sizeof *a->blocks);
  CHECK(a->blocks != NULL, "memory of the test");
}

/* Its finalizer marks another object: when the state closes that has no effect, but the object must be freed. */
static const char mixture[] =
    "local t = {} for i = 1, 400 do t[i] = {i, tostring(i), function() return i end}; t['k' .. i] = i end "
    "for i = 1, 400, 3 do t[i] = nil end "
    "for i = 1, 30 do t[i] = coroutine.wrap(function() local x = {i}; coroutine.yield(x); return x end); "
    "t[i]() end "
    "t.s = ('x'):rep(100000); t.f = load('return ' .. ('1 + '):rep(100) .. '1'); assert(t.f() == 101); "
    "collectgarbage() "
    "setmetatable(t, {__gc = function(o) o.again = {}; for i = 1, 50 do o.again[i] = {i} end; "
    "setmetatable({}, getmetatable(o)) end}); kept = t "
    "for i = 1, 2000 do local g = {i, {i}} end collectgarbage('step')";

/* lua_setallocf with a wrapper: every block that the wrapper gave out comes back to it, with its size. */
void api_allocator_wrapped(const char *options) {
  for (int mode = 0; mode < 2; mode++) {
    lua_State *L = host_open(options, mode ? "generational" : "incremental");
    host_run(L, mixture, 0);
    account a;
    void *context;
    lua_Alloc previous = lua_getallocf(L, &context);
    CHECK(previous != NULL, "an allocator");
    open_account(&a, previous, context);
    lua_setallocf(L, accounting, &a);
    void *set;
    CHECK(lua_getallocf(L, &set) == accounting && set == &a, "is the one that was set");
    host_run(L, mixture, 0);
    host_collect(L);
    CHECK(a.requests > 0, "it is used");
    CHECK(lua_getallocf(L, &set) == accounting && set == &a, "and stays");
    lua_close(L);
    CHECK(a.live == 0, "%zu blocks were not given back", a.live);
    CHECK(a.requests < a.capacity / 2, "the test's table is too small");
    CHECK(a.given_twice == 0, "%zu blocks were given out while in use", a.given_twice);
    CHECK(a.wrong_sizes == 0, "%zu blocks were given back with a wrong size", a.wrong_sizes);
    free(a.blocks);
  }
}

typedef struct limited {
  size_t requests, fail_at, bytes, limit;
} limited;

static void *limiting(void *context, void *address, size_t old_size, size_t new_size) {
  limited *l = context;
  size_t old = address ? old_size : 0;
  if (new_size > old && (++l->requests == l->fail_at || l->bytes + new_size - old > l->limit))
    return NULL;
  l->bytes += new_size - old;
  if (new_size == 0) {
    free(address);
    return NULL;
  }
  return realloc(address, new_size); /* which is taken to succeed */
}

/* lua_newstate with an allocator of the host's: balanced at lua_close; and states whose n-th request fails. */
void api_own_allocator(void) {
  limited l = {.limit = (size_t)1 << 40};
  lua_State *L = lua_newstate(limiting, &l);
  CHECK(L != NULL, "a state");
  CHECK(l.requests > 0, "the allocator is used");
  luaL_openlibs(L);
  for (int round = 0; round < 3; round++) {
    host_run(L, mixture, 0);
    host_collect(L);
  }
  lua_close(L);
  CHECK(l.bytes == 0, "%zu bytes were not given back", l.bytes);

  size_t n;
  for (n = 1; n < 10000; n++) {
    limited failing = {.fail_at = n, .limit = (size_t)1 << 40};
    L = lua_newstate(limiting, &failing);
    if (L) { /* nothing was left to fail */
      luaL_openlibs(L);
      host_run(L, "assert(#tostring(12) == 2)", 0);
      lua_close(L);
    }
    CHECK(failing.bytes == 0, "%zu bytes were not given back when request %zu failed", failing.bytes, n);
    if (L)
      break;
  }
  CHECK(n > 1 && n < 10000, "every request failed once: %zu", n);
  for (int i = 0; i < 10; i++) {
    L = luaL_newstate();
    CHECK(L != NULL, "luaL_newstate");
    luaL_openlibs(L);
    host_run(L, mixture, 0);
    lua_close(L);
  }
}

static int fill_memory(lua_State *L) {
  lua_newtable(L);
  for (int i = 1; i < 1000000; i++) {
    lua_newuserdatauv(L, 10000, 0);
    lua_rawseti(L, -2, i);
  }
  return 0;
}

/* Memory that runs out gives LUA_ERRMEM, more than once, and the state goes on. */
void api_out_of_memory(const char *options) {
#ifdef STOCK
  limited l = {.limit = 8 << 20};
  lua_State *L = lua_newstate(limiting, &l);
  (void)options;
#else
  char with_limit[300];
  midden_error error;
  snprintf(with_limit, sizeof with_limit, "%s%sheap-limit=8M", options ? options : "", options ? "," : "");
  lua_State *L = midden_lua_newstate(with_limit, &error);
#endif
  CHECK(L != NULL, "a state with a limit");
  luaL_openlibs(L);
  lua_gc(L, LUA_GCGEN, 0, 0);
  for (int round = 0; round < 4; round++) {
    lua_pushcfunction(L, fill_memory);
    CHECK(lua_pcall(L, 0, 0, 0) == LUA_ERRMEM, "memory ran out");
    CHECK(strcmp(lua_tostring(L, -1), "not enough memory") == 0, "message");
    lua_settop(L, 0);
    host_run(L, mixture, 0);
    CHECK(luaL_loadstring(L, "return ('x'):rep(1 << 24)") == LUA_OK && lua_pcall(L, 0, 1, 0) == LUA_ERRMEM,
          "too large");
    lua_settop(L, 0);
  }
  lua_gc(L, LUA_GCCOLLECT);
  CHECK(lua_gc(L, LUA_GCCOUNT) < 4 << 10, "memory was given back");
  lua_close(L);
#ifdef STOCK
  CHECK(l.bytes == 0, "balanced");
#endif
}

typedef struct nested {
  const char *options;
  int depth, closed;
} nested;

static void open_nested(nested *n);

static int close_nested(lua_State *L) {
  nested *n = *(nested **)lua_touserdata(L, 1);
  n->closed++;
  if (n->depth > 0)
    open_nested(n);
  return 0;
}

static void open_nested(nested *n) {
  lua_State *L = host_open(n->options, n->depth % 2 ? "generational" : "incremental");
  n->depth--;
  *(nested **)lua_newuserdatauv(L, sizeof n, 0) = n;
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, close_nested);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  if (n->depth % 3 == 0) { /* run by a collection, otherwise by lua_close */
    lua_pop(L, 1);
    host_collect(L);
  }
  host_run(L, mixture, 0);
  lua_close(L);
}

/* Finalizers, run by collections and by lua_close, that open states and close them. */
void api_states_in_finalizers(const char *options) {
  nested n = {options, 12, 0};
  open_nested(&n);
  CHECK(n.closed == 12, "every finalizer ran");
}

typedef struct relay {
  lua_State *L;
  const char *options;
  int round;
} relay;

static void *take_over(void *context) {
  relay *r = context;
  if (!r->L) {
    r->L = host_open(r->options, "generational");
    host_run(r->L, "rounds = {}", 0);
  } else {
    host_adopt(r->L);
  }
  lua_State *L = r->L;
  lua_pushinteger(L, r->round);
  lua_setglobal(L, "round");
  host_run(L,
           "rounds[#rounds + 1] = {round, tostring(round), coroutine.wrap(function() local r = {round}; "
           "while true do coroutine.yield(r) end end)}; "
           "for i, r in ipairs(rounds) do assert(r[1] == i and r[2] == tostring(i) and r[3]()[1] == i) end",
           0);
  host_run(L, mixture, 0);
  host_collect(L);
  lua_newuserdatauv(L, 100, 1);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, r);
  lua_pop(L, 1);
  host_step(L);
  CHECK(lua_rawgetp(L, LUA_REGISTRYINDEX, r) == LUA_TUSERDATA, "in the registry");
  lua_pop(L, 1);
  return NULL;
}

/* A state that is made in one thread, used in others one after another, and closed in the first or another. */
void api_handed_over(const char *options) {
  for (int where = 0; where < 2; where++) {
    relay r = {NULL, options, 0};
    for (r.round = 1; r.round <= 8; r.round++) {
      if (r.round % 4 == 3) {
        take_over(&r);
        continue;
      }
      pthread_t thread;
      CHECK(pthread_create(&thread, NULL, take_over, &r) == 0, "a thread");
      CHECK(pthread_join(thread, NULL) == 0, "joined");
    }
    host_adopt(r.L);
    if (where)
      host_collect(r.L);
    lua_close(r.L);
  }
}

/* Options that are not understood give NULL and a sentence. */
void api_bad_options(void) {
#ifndef STOCK
  static const char *const bad[] = {"collector=nonsense", "no-such-option=1", "heap-limit=", "="};
  for (int i = 0; i < 4; i++) {
    midden_error error = {MIDDEN_OK, ""};
    CHECK(midden_lua_newstate(bad[i], &error) == NULL, "opened with %s", bad[i]);
    CHECK(error.status != MIDDEN_OK && strlen(error.message) > 10, "says why: %s", error.message);
    CHECK(midden_lua_newstate(bad[i], NULL) == NULL, "the error may be NULL");
  }
  lua_State *L = host_open(NULL, "incremental");
  CHECK(midden_lua_heap(L) != NULL && midden_heap_of(midden_lua_mutator(L)) == midden_lua_heap(L),
        "heap and mutator");
  lua_State *T = lua_newthread(L);
  CHECK(midden_lua_heap(T) == midden_lua_heap(L), "the same for its coroutines");
  lua_close(L);
#endif
}
