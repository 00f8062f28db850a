/* Lua states over midden, for a host program that links this collector instead of Lua's own lgc.c.
 *
 * lua_newstate and luaL_newstate work as they are, and take their options from the environment variable MIDDEN_LUA. */
#ifndef MIDDEN_LUA_H
#define MIDDEN_LUA_H

#include "lua.h"
#include "midden/midden.h"

#if defined(__cplusplus)
extern "C" {
#endif

/* A new state, as luaL_newstate makes it, over a heap of its own that is opened with `options`: a string such as
 * "collector=copying,heap-limit=64M" (docs/lua.md); NULL: what MIDDEN_LUA says.
 * post: the state; or NULL, and *error (may be NULL) says why: a bad option, or no memory. Any thread. */
lua_State *midden_lua_newstate(const char *options, midden_error *error);

/* The heap below a state, for its statistics and tools. It lives as long as the state. Its collections are Lua's to ask
 * for: call lua_gc, not midden_collect. NULL: the state is over none. */
midden_heap *midden_lua_heap(lua_State *L);

/* The mutator through which the state uses its heap. */
midden_mutator *midden_lua_mutator(lua_State *L);

/* Has another collector collect from now on, "mark-sweep", "mark-compact" or "copying".
 * post: as for midden_heap_use. Does not collect. */
midden_status midden_lua_use(lua_State *L, const char *collector, midden_error *error);

#if defined(__cplusplus)
}
#endif

#endif
