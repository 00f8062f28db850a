/* What the host programs share: states over midden, or over stock Lua with -DSTOCK, and counted checks.
 *
 * A host uses lua.h and lauxlib.h, and of midden_lua.h the functions that open a state and hand its heap to another
 * thread. Every check is one that must hold whatever the collector moves. */
#ifndef HOST_H
#define HOST_H

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lauxlib.h"
#include "lua.h"
#include "lualib.h"

#ifdef STOCK
typedef struct midden_error {
  int status;
  char message[512];
} midden_error;

static inline lua_State *midden_lua_newstate(const char *options, midden_error *error) {
  (void)options;
  (void)error;
  return luaL_newstate();
}
#else
#include "midden/midden.h"
#include "midden_lua.h"
#endif

/* Checks made so far, by any thread. */
extern atomic_int host_checks;

/* Counts; or, if the condition does not hold, says so in the words of the format, and exits with 1. */
#define CHECK(condition, ...)                                                                                \
  ((condition) ? (void)host_checks++ : host_fail(__FILE__, __LINE__, #condition, __VA_ARGS__))

_Noreturn void host_fail(const char *file, int line, const char *condition, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* A state with the standard libraries and the functions below, in "incremental" or "generational" mode.
 * `options` as for midden_lua_newstate. Exits if there is none. */
lua_State *host_open(const char *options, const char *mode);

/* Makes the calling thread the one that may use the state. pre: the thread before does not use it any more. */
void host_adopt(lua_State *L);

/* Garbage that writes over what was freed too early, then a full collection; the stack is as it was. */
void host_collect(lua_State *L);

/* Steps, that is partial collections, and garbage. */
void host_step(lua_State *L);

/* Runs Lua code that must not fail; leaves `results` values. */
void host_run(lua_State *L, const char *code, int results);

/* Makes an empty table with __mode = mode on top of the stack. */
void host_weak_table(lua_State *L, const char *mode);

/* The number of entries in the table at `index`. */
int host_entries(lua_State *L, int index);

/* Pops the number on top. */
lua_Integer host_pop_integer(lua_State *L);

#endif
