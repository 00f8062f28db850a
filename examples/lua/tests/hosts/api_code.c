/* Buffers, readers and writers, the stack, modes, warnings: C code that holds on to memory of Lua's while Lua collects. */
#include "api.h"

/* luaL_Buffer: what luaL_prepbuffsize gives stays in place until it is added. */
void api_buffers(lua_State *L) {
  for (size_t piece = 10; piece <= 20000; piece *= 10) {
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    for (int i = 0; i < 30; i++) {
      char *room = luaL_prepbuffsize(&buffer, piece);
      memset(room, 'a' + i % 26, piece / 2);
      host_step(L);
      if (i % 10 == 0)
        host_collect(L);
      memset(room + piece / 2, 'A' + i % 26, piece - piece / 2);
      luaL_addsize(&buffer, piece);
      luaL_addchar(&buffer, '|');
      lua_pushfstring(L, "value %d", i);
      luaL_addvalue(&buffer);
    }
    luaL_pushresult(&buffer);
    host_collect(L);
    size_t length, at = 0;
    const char *s = lua_tolstring(L, -1, &length);
    int whole = 1;
    for (int i = 0; i < 30; i++) {
      char value[20];
      int value_length = snprintf(value, sizeof value, "|value %d", i);
      for (size_t k = 0; k < piece; k++)
        whole &= s[at + k] == (k < piece / 2 ? 'a' : 'A') + i % 26;
      whole &= memcmp(s + at + piece, value, (size_t)value_length) == 0;
      at += piece + (size_t)value_length;
    }
    CHECK(at == length, "length of the buffer");
    CHECK(whole, "content of the buffer");
    lua_settop(L, 0);
  }
}

typedef struct pieces {
  const char *text;
  size_t length, at;
  lua_State *L;
} pieces;

static const char *read_piece(lua_State *L, void *data, size_t *size) {
  pieces *p = data;
  (void)L;
  host_step(p->L);
  if (p->at / 50 % 20 == 0)
    host_collect(p->L);
  size_t left = p->length - p->at;
  *size = left < 50 ? left : 50;
  p->at += *size;
  return *size ? p->text + p->at - *size : NULL;
}

typedef struct bytes {
  char *data;
  size_t length;
} bytes;

static int write_bytes(lua_State *L, const void *data, size_t size, void *context) {
  bytes *b = context;
  char *larger = realloc(b->data, b->length + size);
  CHECK(larger != NULL || size == 0, "memory of the test");
  memcpy(larger + b->length, data, size);
  b->data = larger;
  b->length += size;
  (void)L;
  return 0;
}

/* lua_load with a reader that collects, lua_dump, and lua_load of that. */
void api_load_and_dump(lua_State *L) {
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  luaL_addstring(&buffer, "local t = {...}\n");
  for (int i = 0; i < 60; i++) {
    lua_pushfstring(
        L,
        "t[#t + 1] = 'constant %d' .. #t; t.f%d = function() return 'long constant number %d of this "
        "chunk, which is no short string', t end\n",
        i, i, i);
    luaL_addvalue(&buffer);
  }
  luaL_addstring(&buffer, "return t");
  luaL_pushresult(&buffer);
  pieces source = {lua_tostring(L, 1), lua_rawlen(L, 1), 0, L};
  CHECK(lua_load(L, read_piece, &source, "=source", "t") == LUA_OK, "loaded: %s", lua_tostring(L, -1));
  bytes dumped = {NULL, 0};
  host_collect(L);
  CHECK(lua_dump(L, write_bytes, &dumped, 0) == 0, "dumped");
  lua_settop(L, 0);
  host_collect(L);
  pieces binary = {dumped.data, dumped.length, 0, L};
  CHECK(lua_load(L, read_piece, &binary, "=binary", "b") == LUA_OK, "undumped: %s", lua_tostring(L, -1));
  free(dumped.data);
  host_collect(L);
  lua_pushliteral(L, "argument");
  lua_call(L, 1, 1);
  host_collect(L);
  CHECK(lua_rawlen(L, 1) == 61, "length");
  for (int i = 0; i < 60; i++) {
    lua_rawgeti(L, 1, i + 2);
    lua_pushfstring(L, "constant %d%d", i, i + 1);
    CHECK(lua_rawequal(L, -1, -2), "constant %d", i);
    lua_pushfstring(L, "f%d", i);
    lua_rawget(L, 1);
    lua_call(L, 0, 2);
    CHECK(lua_rawequal(L, -1, 1), "upvalue of function %d", i);
    lua_pushfstring(L, "long constant number %d of this chunk, which is no short string", i);
    CHECK(lua_compare(L, -1, -3, LUA_OPEQ), "long constant");
    lua_settop(L, 1);
  }
  lua_settop(L, 0);
  CHECK(luaL_loadstring(L, "x = = 1") == LUA_ERRSYNTAX, "a syntax error");
  lua_settop(L, 0);
}

/* A large stack: values stay where they are on it while it grows, shrinks and is collected. */
void api_stack(lua_State *L) {
  enum { VALUES = 5000 };
  for (int round = 0; round < 2; round++) {
    CHECK(lua_checkstack(L, VALUES + 50), "room");
    for (int i = 0; i < VALUES; i++) {
      switch (i % 4) {
      case 0:
        lua_pushinteger(L, i);
        break;
      case 1:
        lua_pushfstring(L, "value %d", i);
        break;
      case 2:
        lua_createtable(L, 1, 0);
        lua_pushinteger(L, i);
        lua_rawseti(L, -2, 1);
        break;
      case 3:
        lua_pushvalue(L, -1);
        break;
      }
    }
    host_collect(L);
    lua_rotate(L, 1, VALUES / 2);
    host_step(L);
    lua_rotate(L, 1, -VALUES / 2);
    int right = 1;
    for (int i = 0; i < VALUES; i += 4) {
      right &= lua_tointeger(L, i + 1) == i;
      lua_pushfstring(L, "value %d", i + 1);
      right &= lua_rawequal(L, -1, i + 2) && lua_rawequal(L, i + 3, i + 4);
      lua_rawgeti(L, i + 3, 1);
      right &= host_pop_integer(L) == i + 2;
      lua_pop(L, 1);
    }
    CHECK(right, "values on a large stack");
    lua_settop(L, 10);
    host_collect(L);
    host_collect(L);
    CHECK(lua_tointeger(L, 1) == 0 && lua_tointeger(L, 5) == 4, "what is left of it");
    lua_settop(L, 0);
  }
  CHECK(!lua_checkstack(L, 100000000), "too much room");
  host_weak_table(L, "v"); /* what was popped is garbage */
  for (int i = 1; i <= 50; i++) {
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawseti(L, 1, i);
  }
  lua_settop(L, 26);
  host_collect(L);
  CHECK(host_entries(L, 1) == 25, "popped values are garbage, others are not");
  lua_settop(L, 0);
}

static lua_Integer bytes_in_use(lua_State *L) {
  return (lua_Integer)lua_gc(L, LUA_GCCOUNT) * 1024 + lua_gc(L, LUA_GCCOUNTB);
}

/* lua_gc: counts, steps, modes and what they return. */
void api_modes(lua_State *L) {
  int start = lua_gc(L, LUA_GCGEN, 0, 0);
  CHECK(start == LUA_GCGEN || start == LUA_GCINC, "the mode before");
  CHECK(lua_gc(L, LUA_GCGEN, 0, 0) == LUA_GCGEN, "was generational");
  CHECK(lua_gc(L, LUA_GCINC, 0, 0, 0) == LUA_GCGEN, "was generational");
  CHECK(lua_gc(L, LUA_GCINC, 200, 100, 13) == LUA_GCINC, "was incremental");
  CHECK(lua_gc(L, LUA_GCSETPAUSE, 160) == 200, "pause before");
  CHECK(lua_gc(L, LUA_GCSETPAUSE, 200) == 160, "pause before");
  CHECK(lua_gc(L, LUA_GCSETSTEPMUL, 400) == 100, "multiplier before");
  CHECK(lua_gc(L, LUA_GCSETSTEPMUL, 100) == 400, "multiplier before");
  CHECK(lua_gc(L, LUA_GCCOLLECT) == 0, "collect");
  CHECK(lua_gc(L, LUA_GCISRUNNING) == 1, "running");
  CHECK(lua_gc(L, LUA_GCSTOP) == 0 && lua_gc(L, LUA_GCISRUNNING) == 0, "stopped");
  int steps = 0;
  while (!lua_gc(L, LUA_GCSTEP, 1) && steps < 100000)
    steps++;
  CHECK(steps < 100000, "steps finish a cycle, though stopped");
  CHECK(lua_gc(L, LUA_GCSTEP, 100000) == 1, "a large step finishes one");
  CHECK(lua_gc(L, LUA_GCISRUNNING) == 0, "still stopped");
  CHECK(lua_gc(L, LUA_GCCOUNTB) >= 0 && lua_gc(L, LUA_GCCOUNTB) < 1024, "the rest of the bytes");
  lua_Integer before = bytes_in_use(L);
  lua_newuserdatauv(L, 100000, 0);
  lua_Integer with = bytes_in_use(L);
  CHECK(with >= before + 100000 && with < before + 101000 + 8192, "a userdata counts: %lld",
        (long long)(with - before));
  lua_pop(L, 1);
  lua_pushlstring(L, lua_newuserdatauv(L, 50000, 0), 50000);
  CHECK(bytes_in_use(L) >= with + 100000,
        "garbage counts until it is collected, and a string and its source");
  lua_settop(L, 0);
  lua_gc(L, LUA_GCCOLLECT);
  lua_gc(L, LUA_GCCOLLECT);
  CHECK(bytes_in_use(L) <= before, "all given back");
  CHECK(lua_gc(L, LUA_GCRESTART) == 0 && lua_gc(L, LUA_GCISRUNNING) == 1, "restarted");
  CHECK(lua_gc(L, 12345) == -1, "no such option");
  lua_gc(L, start, 0, 0, 0);
}

typedef struct warnings {
  char text[400];
  int count;
} warnings;

static void collect_warning(void *context, const char *message, int to_continue) {
  warnings *w = context;
  strncat(w->text, message, sizeof w->text - strlen(w->text) - 1);
  if (!to_continue)
    w->count++;
}

static int fail(lua_State *L) { return luaL_error(L, "from a finalizer in C"); }

/* Errors in finalizers reach the host's warning function. */
void api_warnings(lua_State *L) {
  warnings w = {"", 0};
  lua_setwarnf(L, collect_warning, &w);
  for (int i = 0; i < 3; i++) {
    lua_newuserdatauv(L, 16, 1);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, fail);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
  }
  host_collect(L);
  CHECK(w.count == 3, "one warning for each error");
  CHECK(strstr(w.text, "__gc") && strstr(w.text, "from a finalizer in C"), "text: %s", w.text);
  lua_warning(L, "from the ", 1);
  lua_warning(L, "host", 0);
  CHECK(w.count == 4 && strstr(w.text, "from the host"), "the host's own");
  lua_setwarnf(L, NULL, NULL);
}
