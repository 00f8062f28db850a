/* require "midden": the heap below the state that runs, from Lua. For tests and for looking around; a program needs none
 * of it. Loaded by midden-lua only: it finds the heap's functions in the interpreter.
 *
 *   midden.statistics()       a table of the heap's figures (midden/statistics.h)
 *   midden.use(collector)     another collector from now on
 *   midden.options()          the options in force, as a string
 *   midden.verify()           true, or nil and what is broken
 *   midden.snapshot(path)     a heap snapshot, for Chrome's DevTools
 *   midden.map(path)          a map of the heap's pages, for a browser
 *   midden.why(object)        the path from a root to a table, function, userdata or string, as a string
 *   midden.doctor()           what the heap advises
 *   midden.trim()             gives free pages back: the bytes */
#include <stdlib.h>
#include <string.h>

#include "lua.h"

#include "lauxlib.h"
#include "midden_lua.h"

static midden_heap *heap_of(lua_State *L) {
  midden_heap *heap = midden_lua_heap(L);
  if (!heap) luaL_error(L, "this state is over no heap of midden");
  return heap;
}

/* nil and a message, or true. */
static int result(lua_State *L, midden_status status, const midden_error *error) {
  if (status == MIDDEN_OK) {
    lua_pushboolean(L, 1);
    return 1;
  }
  luaL_pushfail(L);
  lua_pushstring(L, error->message[0] ? error->message : midden_status_name(status));
  return 2;
}

#define FIGURES(each)                                                                                             \
  each(allocations) each(allocated_bytes) each(refills) each(large_allocations) each(used_bytes) each(span_bytes) \
  each(free_bytes) each(committed_bytes) each(metadata_bytes) each(peak_committed_bytes) each(limit_bytes)        \
  each(blocks) each(block_bytes) each(block_span_bytes) each(live_objects) each(live_bytes) each(pinned_objects)   \
  each(collections) each(minor_collections) each(objects_moved) each(bytes_moved) each(objects_pinned)             \
  each(total_pause_ns) each(longest_pause_ns) each(last_pause_ns) each(verifications) each(objects_remembered)

static int statistics(lua_State *L) {
  midden_statistics figures;
  midden_statistics_read(heap_of(L), &figures);
  lua_createtable(L, 0, 32);
#define SET(name) lua_pushinteger(L, (lua_Integer)figures.name), lua_setfield(L, -2, #name);
  FIGURES(SET)
#undef SET
  return 1;
}

static int use(lua_State *L) {
  midden_error error = {MIDDEN_OK, ""};
  return result(L, midden_lua_use(L, luaL_checkstring(L, 1), &error), &error);
}

static int options(lua_State *L) {
  char text[1024];
  midden_config_print(midden_heap_config(heap_of(L)), text, sizeof text);
  lua_pushstring(L, text);
  return 1;
}

static int verify(lua_State *L) {
  midden_error error = {MIDDEN_OK, ""};
  return result(L, midden_verify(heap_of(L), &error), &error);
}

static int snapshot(lua_State *L) {
  midden_error error = {MIDDEN_OK, ""};
  return result(L, midden_snapshot_file(heap_of(L), NULL, luaL_checkstring(L, 1), &error), &error);
}

static int map(lua_State *L) {
  midden_error error = {MIDDEN_OK, ""};
  return result(L, midden_heap_map(heap_of(L), luaL_checkstring(L, 1), &error), &error);
}

/* What is written while the heap is looked at is kept by malloc: nothing may be allocated from the heap meanwhile. */
struct text {
  char *bytes;
  size_t count;
};

static bool write_text(void *context, const char *bytes, size_t count) {
  struct text *text = context;
  char *grown = realloc(text->bytes, text->count + count);
  if (!grown) return false;
  memcpy(grown + text->count, bytes, count);
  text->bytes = grown;
  text->count += count;
  return true;
}

static int why(lua_State *L) {
  const void *object = lua_type(L, 1) == LUA_TSTRING ? (const void *)lua_tostring(L, 1) : lua_topointer(L, 1);
  struct text text = {NULL, 0};
  midden_writer writer = {write_text, &text};
  midden_error error = {MIDDEN_OK, ""};
  midden_heap *heap = heap_of(L);
  const void *start = midden_object_at(heap, object);
  midden_status status = midden_why(heap, start, &writer, &error);
  if (status == MIDDEN_OK) {
    lua_pushlstring(L, text.bytes ? text.bytes : "", text.count);
  }
  free(text.bytes);
  return status == MIDDEN_OK ? 1 : result(L, status, &error);
}

static int doctor(lua_State *L) {
  char text[4096];
  midden_doctor(heap_of(L), text, sizeof text);
  lua_pushstring(L, text);
  return 1;
}

static int trim(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)midden_trim(heap_of(L)));
  return 1;
}

LUAMOD_API int luaopen_midden(lua_State *L);

LUAMOD_API int luaopen_midden(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"statistics", statistics}, {"use", use}, {"options", options}, {"verify", verify}, {"snapshot", snapshot},
      {"map", map},               {"why", why}, {"doctor", doctor},   {"trim", trim},     {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
