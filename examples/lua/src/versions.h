/* What differs between the releases of Lua 5.4 that this collector knows: 5.4.4 up to 5.4.8. From 5.4.5 on, pointers into
 * a stack are unions, and threads come through luaC_newobjdt. */
#ifndef MIDDEN_LUA_VERSIONS_H
#define MIDDEN_LUA_VERSIONS_H

#define LUA_CORE

#include "lprefix.h"

#include "lua.h"

#include "lgc.h"
#include "lobject.h"
#include "lstate.h"

#if LUA_VERSION_NUM != 504 || LUA_VERSION_RELEASE_NUM < 50404
#error "this collector is for Lua 5.4.4 and later releases of Lua 5.4"
#endif

#if LUA_VERSION_RELEASE_NUM >= 50405
#define stack_base(thread) ((thread)->stack.p)
#define stack_top(thread) ((thread)->top.p)
#define stack_limit(thread) ((thread)->stack_last.p)
#define upvalue_place(upvalue) ((upvalue)->v.p)
#define LUA_HAS_NEWOBJDT 1
#else
#define stack_base(thread) ((thread)->stack)
#define stack_top(thread) ((thread)->top)
#define stack_limit(thread) ((thread)->stack_last)
#define upvalue_place(upvalue) ((upvalue)->v)
#define LUA_HAS_NEWOBJDT 0
#endif

/* A thread as lstate.c allocates it: the host's extra space lies before what a lua_State* points to. */
typedef struct thread_block {
  lu_byte extra[LUA_EXTRASPACE];
  lua_State state;
} thread_block;

#define METATABLE_COUNT (sizeof(((global_State *)0)->mt) / sizeof(struct Table *))

#endif
