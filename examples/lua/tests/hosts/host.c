/* What the host programs share; see host.h. */
#include "host.h"

#include <stdarg.h>

atomic_int host_checks;

void host_fail(const char *file, int line, const char *condition, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "%s:%d: check failed: %s: ", file, line, condition);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(1);
}

lua_State *host_open(const char *options, const char *mode) {
  midden_error error;
  memset(&error, 0, sizeof error);
  lua_State *L = midden_lua_newstate(options, &error);
  CHECK(L != NULL, "no state with options %s: %s", options ? options : "(none)", error.message);
  luaL_openlibs(L);
  if (strcmp(mode, "generational") == 0)
    lua_gc(L, LUA_GCGEN, 0, 0);
  else
    lua_gc(L, LUA_GCINC, 0, 0, 0);
  return L;
}

void host_adopt(lua_State *L) {
#ifdef STOCK
  (void)L;
#else
  midden_error error;
  midden_status status = midden_adopt(midden_lua_mutator(L), NULL, &error);
  CHECK(status == MIDDEN_OK, "the heap cannot be handed over: %s", error.message);
#endif
}

void host_run(lua_State *L, const char *code, int results) {
  int top = lua_gettop(L);
  int status = luaL_loadstring(L, code);
  if (status == LUA_OK)
    status = lua_pcall(L, 0, results, 0);
  CHECK(status == LUA_OK, "%s", lua_tostring(L, -1));
  CHECK(results == LUA_MULTRET || lua_gettop(L) == top + results, "number of results");
}

static void garbage(lua_State *L) {
  luaL_checkstack(L, 10, "no stack for garbage");
  for (int i = 0; i < 60; i++) {
    lua_createtable(L, i % 7, i % 5);
    lua_pushfstring(L, "garbage %d", i);
    lua_rawseti(L, -2, 1);
    memset(lua_newuserdatauv(L, (size_t)i * 8, i % 3), 0xee, (size_t)i * 8);
    lua_rawseti(L, -2, 2);
    lua_pop(L, 1);
  }
}

void host_collect(lua_State *L) {
  garbage(L);
  CHECK(lua_gc(L, LUA_GCCOLLECT) == 0, "a full collection");
  garbage(L);
}

void host_step(lua_State *L) {
  lua_gc(L, LUA_GCSTEP, 0);
  garbage(L);
  lua_gc(L, LUA_GCSTEP, 20);
}

void host_weak_table(lua_State *L, const char *mode) {
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushstring(L, mode);
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
}

int host_entries(lua_State *L, int index) {
  int n = 0;
  index = lua_absindex(L, index);
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
    n++;
  return n;
}

lua_Integer host_pop_integer(lua_State *L) {
  lua_Integer n = luaL_checkinteger(L, -1);
  lua_pop(L, 1);
  return n;
}
