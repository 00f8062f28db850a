/* Values and their addresses: userdata and strings (manual 4.1.3, lua_newuserdatauv), references, closures, tables. */
#include "api.h"

enum { BLOCKS = 120 };

static size_t block_size(int i) { return (size_t)i * (size_t)i % 2000; }

static void fill_block(unsigned char *block, int i) {
  for (size_t k = 0; k < block_size(i); k++)
    block[k] = (unsigned char)(i * 31 + (int)k);
}

static int block_whole(const unsigned char *block, int i) {
  for (size_t k = 0; k < block_size(i); k++)
    if (block[k] != (unsigned char)(i * 31 + (int)k))
      return 0;
  return 1;
}

static int return_upvalue(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  return 1;
}

/* Puts the userdata on top in one of the places that can hold it alone; pops it. `holders` is a table. */
static void put_away(lua_State *L, int holders, int i) {
  switch (i % 5) {
  case 0: /* a field */
    break;
  case 1: /* an upvalue of a C function */
    lua_pushcclosure(L, return_upvalue, 1);
    break;
  case 2: /* a key */
    lua_newtable(L);
    lua_insert(L, -2);
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
    break;
  case 3: /* a user value */
    lua_newuserdatauv(L, 8, 2);
    lua_insert(L, -2);
    lua_setiuservalue(L, -2, 2);
    break;
  case 4: /* a metatable's field */
    lua_newtable(L);
    lua_newtable(L);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "held");
    lua_setmetatable(L, -2);
    lua_remove(L, -2);
    break;
  }
  lua_rawseti(L, holders, i + 1);
}

/* Pushes what put_away has put. */
static void fetch(lua_State *L, int holders, int i) {
  lua_rawgeti(L, holders, i + 1);
  switch (i % 5) {
  case 1:
    lua_call(L, 0, 1);
    break;
  case 2:
    lua_pushnil(L);
    lua_next(L, -2);
    lua_pop(L, 1);
    lua_remove(L, -2);
    break;
  case 3:
    lua_getiuservalue(L, -1, 2);
    lua_remove(L, -2);
    break;
  case 4:
    luaL_getmetafield(L, -1, "held");
    lua_remove(L, -2);
    break;
  }
}

/* A userdata's block stays where it is, whatever holds the userdata. */
void api_userdata(lua_State *L) {
  static unsigned char *blocks[BLOCKS];
  lua_newtable(L);
  for (int i = 0; i < BLOCKS; i++) {
    blocks[i] = lua_newuserdatauv(L, block_size(i), i % 4);
    CHECK(blocks[i] != NULL, "a block of %zu bytes", block_size(i));
    CHECK((size_t)blocks[i] % sizeof(void *) == 0, "aligned");
    fill_block(blocks[i], i);
    put_away(L, 1, i);
    if (i % 40 == 0)
      host_collect(L);
  }
  for (int round = 0; round < 4; round++) {
    if (round % 2)
      host_step(L);
    else
      host_collect(L);
    int same = 1, whole = 1, sizes = 1;
    for (int i = 0; i < BLOCKS; i++) {
      fetch(L, 1, i);
      same &= lua_touserdata(L, -1) == blocks[i];
      sizes &= lua_rawlen(L, -1) == block_size(i);
      whole &= block_whole(blocks[i], i);
      lua_pop(L, 1);
    }
    CHECK(same, "addresses of userdata");
    CHECK(sizes, "sizes of userdata");
    CHECK(whole, "their content");
  }
  for (int i = 0; i < BLOCKS; i += 2) { /* those between are freed */
    lua_pushnil(L);
    lua_rawseti(L, 1, i + 1);
  }
  host_collect(L);
  int whole = 1;
  for (int i = 1; i < BLOCKS; i += 2)
    whole &= block_whole(blocks[i], i);
  CHECK(whole, "half of the blocks");
  lua_settop(L, 0);
}

/* User values: any number, of old userdata, young values. */
void api_user_values(lua_State *L) {
  for (int n = 0; n <= 10; n++) {
    void *block = lua_newuserdatauv(L, 16, n);
    memset(block, n, 16);
    for (int k = 1; k <= n; k++) {
      CHECK(lua_getiuservalue(L, -1, k) == LUA_TNIL, "nil at first");
      lua_pop(L, 1);
    }
    CHECK(lua_getiuservalue(L, -1, n + 1) == LUA_TNONE && lua_isnil(L, -1), "no such user value");
    lua_pop(L, 1);
    lua_pushinteger(L, 1);
    CHECK(lua_setiuservalue(L, -2, n + 1) == 0, "no such user value to set");
  }
  host_collect(L);
  host_collect(L);
  for (int round = 0; round < 6; round++) {
    for (int n = 0; n <= 10; n++)
      for (int k = 1; k <= n; k++) {
        lua_createtable(L, 1, 0);
        lua_pushfstring(L, "value %d.%d.%d", round, n, k);
        lua_rawseti(L, -2, 1);
        CHECK(lua_setiuservalue(L, n + 1, k) == 1, "set");
      }
    if (round % 2)
      host_step(L);
    else
      host_collect(L);
    for (int n = 0; n <= 10; n++)
      for (int k = 1; k <= n; k++) {
        CHECK(lua_getiuservalue(L, n + 1, k) == LUA_TTABLE, "type");
        lua_rawgeti(L, -1, 1);
        lua_pushfstring(L, "value %d.%d.%d", round, n, k);
        CHECK(lua_rawequal(L, -1, -2), "young user value of old userdata");
        lua_pop(L, 3);
      }
  }
  lua_settop(L, 0);
}

static int with_string_upvalue(lua_State *L) {
  size_t length;
  const char *s = lua_tolstring(L, lua_upvalueindex(1), &length); /* valid while this call is active */
  host_collect(L);
  host_step(L);
  CHECK(s[0] == 'u' && s[length] == '\0' && strlen(s) == length, "a string in an upvalue of the active call");
  lua_pushboolean(L, lua_tostring(L, lua_upvalueindex(1)) == s);
  return 1;
}

/* A pointer to a string is valid while the string is at its index of the stack. */
void api_strings(lua_State *L) {
  static const char *pointers[200];
  luaL_checkstack(L, 230, "no stack");
  for (int i = 0; i < 200; i++) {
    char text[300];
    int length =
        snprintf(text, sizeof text, "%d:%0*d", i, 1 + i, 0); /* around 40 bytes it becomes a long string */
    const char *internal = i % 2 ? lua_pushlstring(L, text, (size_t)length) : lua_pushfstring(L, "%s", text);
    pointers[i] = lua_tostring(L, -1);
    CHECK(internal == pointers[i], "the pointer that was returned");
    if (i % 50 == 0)
      host_collect(L);
  }
  for (int round = 0; round < 3; round++) {
    if (round)
      host_step(L);
    host_collect(L);
    int same = 1, whole = 1;
    for (int i = 0; i < 200; i++) {
      char text[300];
      snprintf(text, sizeof text, "%d:%0*d", i, 1 + i, 0);
      same &= lua_tostring(L, i + 1) == pointers[i];
      whole &= strcmp(pointers[i], text) == 0;
    }
    CHECK(same, "pointers to strings on the stack");
    CHECK(whole, "and what they point to");
  }
  lua_pushinteger(L, 12345); /* a number that lua_tolstring changes to a string */
  const char *converted = lua_tostring(L, -1);
  host_collect(L);
  CHECK(lua_type(L, -1) == LUA_TSTRING && strcmp(converted, "12345") == 0, "converted in place");
  lua_settop(L, 0);

  lua_newtable(
      L); /* strings that only a table holds keep their content; their pointers are asked for again */
  for (int i = 0; i < 100; i++) {
    lua_pushfstring(L, "in a table %d", i);
    lua_pushvalue(L, -1);
    lua_rawset(L, 1);
  }
  host_collect(L);
  for (int i = 0; i < 100; i++) {
    lua_pushfstring(L, "in a table %d", i);
    const char *key = lua_tostring(L, -1);
    lua_pushvalue(L, -1);
    CHECK(lua_rawget(L, 1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), key) == 0,
          "string as key and value");
    lua_pop(L, 2);
  }
  lua_settop(L, 0);
  lua_pushfstring(L, "upvalue %d", 1);
  lua_pushcclosure(L, with_string_upvalue, 1);
  lua_call(L, 0, 1);
  CHECK(lua_toboolean(L, -1), "the same pointer after collections");
  lua_settop(L, 0);
  luaL_tolstring(L, LUA_REGISTRYINDEX, NULL);
  luaL_gsub(L, "a-b-c", "-", "+++");
  lua_pushliteral(L, "x");
  lua_pushnumber(L, 1.5);
  lua_concat(L, 2);
  host_collect(L);
  CHECK(strcmp(lua_tostring(L, -1), "x1.5") == 0 && strcmp(lua_tostring(L, -2), "a+++b+++c") == 0,
        "built strings");
  lua_settop(L, 0);
}

/* luaL_ref and luaL_unref, in the registry and in a table. */
void api_references(lua_State *L) {
  static int references[300];
  lua_newtable(L);
  for (int where = 0; where < 2; where++) {
    int t = where ? 1 : LUA_REGISTRYINDEX;
    for (int i = 0; i < 300; i++) {
      lua_createtable(L, 1, 0);
      lua_pushinteger(L, i);
      lua_rawseti(L, -2, 1);
      references[i] = luaL_ref(L, t);
    }
    for (int round = 0; round < 3; round++) {
      host_collect(L);
      for (int i = round; i < 300; i += 7) { /* give some up, take others */
        luaL_unref(L, t, references[i]);
        lua_createtable(L, 1, 0);
        lua_pushinteger(L, i);
        lua_rawseti(L, -2, 1);
        references[i] = luaL_ref(L, t);
      }
      host_step(L);
      int right = 1;
      for (int i = 0; i < 300; i++) {
        CHECK(lua_rawgeti(L, t, references[i]) == LUA_TTABLE, "reference %d", references[i]);
        lua_rawgeti(L, -1, 1);
        right &= host_pop_integer(L) == i;
        lua_pop(L, 1);
      }
      CHECK(right, "what references refer to");
    }
    for (int i = 0; i < 300; i++)
      luaL_unref(L, t, references[i]);
    lua_pushnil(L);
    CHECK(luaL_ref(L, t) == LUA_REFNIL, "nil");
    luaL_unref(L, t, LUA_REFNIL);
    luaL_unref(L, t, LUA_NOREF);
  }
  host_weak_table(L, "v"); /* what was given up is garbage */
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_rawseti(L, 2, 1);
  int reference = luaL_ref(L, LUA_REGISTRYINDEX);
  host_collect(L);
  CHECK(host_entries(L, 2) == 1, "held by the reference");
  luaL_unref(L, LUA_REGISTRYINDEX, reference);
  host_collect(L);
  CHECK(host_entries(L, 2) == 0, "not any more");
  lua_settop(L, 0);
}

/* lua_topointer: stable for userdata and threads, equal for equal objects and different for others at one moment. */
void api_pointers(lua_State *L) {
  luaL_checkstack(L, 60, "no stack");
  for (int i = 0; i < 20; i++) {
    lua_newuserdatauv(L, 8, 1);
    lua_newthread(L);
  }
  const void *before[40];
  for (int i = 0; i < 40; i++) {
    before[i] = lua_topointer(L, i + 1);
    CHECK(before[i] != NULL, "pointer");
    CHECK(before[i] == (i % 2 ? (void *)lua_tothread(L, i + 1) : lua_touserdata(L, i + 1)),
          "the object's own");
  }
  lua_pushlightuserdata(L, before);
  CHECK(lua_topointer(L, -1) == before, "light userdata");
  lua_pop(L, 1);
  for (int round = 0; round < 3; round++) {
    host_collect(L);
    host_step(L);
    for (int i = 0; i < 40; i++)
      CHECK(lua_topointer(L, i + 1) == before[i], "pointer of %s", luaL_typename(L, i + 1));
  }
  lua_settop(L, 0);
  lua_gc(L, LUA_GCSTOP); /* tables and functions may move: compare at one moment */
  for (int i = 0; i < 10; i++) {
    lua_newtable(L);
    lua_pushinteger(L, i);
    lua_pushcclosure(L, return_upvalue, 1);
  }
  for (int i = 1; i <= 20; i++) {
    lua_pushvalue(L, i);
    CHECK(lua_topointer(L, -1) == lua_topointer(L, i), "the same object");
    for (int j = 1; j < i; j++)
      CHECK(lua_topointer(L, i) != lua_topointer(L, j), "different objects");
    lua_pop(L, 1);
  }
  lua_pushboolean(L, 1);
  lua_pushnil(L);
  lua_pushinteger(L, 1);
  for (int i = 21; i <= 23; i++)
    CHECK(lua_topointer(L, i) == NULL, "not an object");
  lua_gc(L, LUA_GCRESTART);
  lua_settop(L, 0);
}

static int sum_upvalues(lua_State *L) {
  int n = (int)luaL_checkinteger(L, 1);
  lua_Integer sum = 0;
  for (int i = 1; i <= n; i++) {
    if (i % 100 == 0)
      host_collect(L);
    lua_rawgeti(L, lua_upvalueindex(i), 1);
    sum += host_pop_integer(L);
  }
  CHECK(lua_isnone(L, lua_upvalueindex(n + 1)) || n == 255, "no more upvalues");
  lua_pushinteger(L, sum);
  return 1;
}

static int next_number(lua_State *L) {
  lua_Integer n = lua_tointeger(L, lua_upvalueindex(1)) + 1;
  lua_pushinteger(L, n);
  lua_copy(L, -1, lua_upvalueindex(1));
  return 1;
}

/* C closures with any number of upvalues; upvalues set from outside; Lua closures' upvalues joined. */
void api_closures(lua_State *L) {
  static const int counts[] = {0, 1, 2, 3, 10, 100, 255};
  luaL_checkstack(L, 300, "no stack");
  for (int c = 0; c < 7; c++) {
    for (int i = 1; i <= counts[c]; i++) {
      lua_createtable(L, 1, 0);
      lua_pushinteger(L, i);
      lua_rawseti(L, -2, 1);
    }
    lua_pushcclosure(L, sum_upvalues, counts[c]);
  }
  host_collect(L);
  host_collect(L);
  for (int round = 0; round < 3; round++)
    for (int c = 0; c < 7; c++) {
      if (counts[c]) { /* a young value for an old closure */
        lua_createtable(L, 1, 0);
        lua_pushinteger(L, 1 + round);
        lua_rawseti(L, -2, 1);
        const char *name = lua_setupvalue(L, c + 1, 1);
        CHECK(name && *name == '\0', "name of a C function's upvalue");
      }
      host_step(L);
      lua_pushvalue(L, c + 1);
      lua_pushinteger(L, counts[c]);
      lua_call(L, 1, 1);
      lua_Integer expected = (lua_Integer)counts[c] * (counts[c] + 1) / 2 + (counts[c] ? round : 0);
      CHECK(host_pop_integer(L) == expected, "sum of %d upvalues", counts[c]);
      CHECK(lua_getupvalue(L, c + 1, counts[c] + 1) == NULL, "no such upvalue");
    }
  lua_settop(L, 0);
  for (int i = 0; i < 30; i++) {
    lua_pushinteger(L, i * 100);
    lua_pushcclosure(L, next_number, 1);
  }
  for (int round = 1; round <= 20; round++) {
    for (int i = 0; i < 30; i++) {
      lua_pushvalue(L, i + 1);
      lua_call(L, 0, 1);
      CHECK(host_pop_integer(L) == i * 100 + round, "counter");
    }
    if (round % 5 == 0)
      host_collect(L);
  }
  lua_settop(L, 0);
  host_run(L, "local a, b = {'a'}, {'b'}; return function() return a end, function() return b end", 2);
  lua_gc(L, LUA_GCSTOP);
  CHECK(lua_upvalueid(L, 1, 1) != lua_upvalueid(L, 2, 1), "two variables");
  lua_upvaluejoin(L, 1, 1, 2, 1);
  CHECK(lua_upvalueid(L, 1, 1) == lua_upvalueid(L, 2, 1), "joined");
  lua_gc(L, LUA_GCRESTART);
  host_collect(L);
  lua_pushvalue(L, 1);
  lua_call(L, 0, 1);
  lua_rawgeti(L, -1, 1);
  CHECK(strcmp(lua_tostring(L, -1), "b") == 0, "the other's value");
  lua_settop(L, 0);
}

/* lua_rawsetp, lua_next with collections, integer and object keys, metatables set from C. */
void api_tables(lua_State *L) {
  static char keys[150];
  lua_newtable(L);
  for (int i = 0; i < 150; i++) {
    lua_pushfstring(L, "value %d", i);
    lua_rawsetp(L, 1, &keys[i]);
    lua_pushfstring(L, "value %d", i);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &keys[i]);
  }
  for (int round = 0; round < 2; round++) {
    host_collect(L);
    for (int i = 0; i < 150; i++) {
      lua_pushfstring(L, "value %d", i);
      CHECK(lua_rawgetp(L, 1, &keys[i]) == LUA_TSTRING && lua_rawequal(L, -1, -2), "lua_rawgetp");
      CHECK(lua_rawgetp(L, LUA_REGISTRYINDEX, &keys[i]) == LUA_TSTRING && lua_rawequal(L, -1, -2),
            "in the registry");
      lua_pop(L, 3);
    }
  }
  for (int i = 0; i < 150; i++) {
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &keys[i]);
  }
  lua_settop(L, 0);
  lua_newtable(L); /* object keys, cleared while traversed */
  for (int i = 1; i <= 100; i++) {
    if (i % 2)
      lua_newtable(L);
    else
      *(int *)lua_newuserdatauv(L, sizeof(int), 0) = i;
    lua_pushinteger(L, i);
    lua_rawset(L, 1);
  }
  int sum = 0;
  lua_pushnil(L);
  while (lua_next(L, 1)) {
    int i = (int)host_pop_integer(L);
    sum += i;
    CHECK(i % 2 ? lua_istable(L, -1) : *(int *)lua_touserdata(L, -1) == i, "key %d", i);
    lua_pushvalue(L, -1);
    lua_pushnil(L);
    lua_rawset(L, 1);
    if (i % 10 == 0)
      host_collect(L);
  }
  CHECK(sum == 5050, "every key once");
  CHECK(host_entries(L, 1) == 0, "table cleared");
  lua_settop(L, 0);
  luaL_newmetatable(L, "host metatable"); /* old object, young metatable */
  lua_newuserdatauv(L, 4, 0);
  host_collect(L);
  luaL_setmetatable(L, "host metatable");
  lua_pushnil(L);
  lua_setfield(L, LUA_REGISTRYINDEX, "host metatable");
  lua_remove(L, 1);
  host_step(L);
  host_collect(L);
  CHECK(luaL_getmetafield(L, 1, "__name") == LUA_TSTRING, "metatable that only the userdata holds");
  CHECK(strcmp(lua_tostring(L, -1), "host metatable") == 0, "its name");
  lua_settop(L, 0);
}
