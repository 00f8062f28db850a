/* Coroutines from C: anchoring, moving values, continuations, resetting, hooks (manual 4.5, lua_newthread). */
#include "api.h"

/* Threads that only the registry, a table, a closure or another thread's stack holds; values moved between stacks. */
void api_threads(lua_State *L) {
  enum { THREADS = 80 };
  static lua_State *threads[THREADS];
  lua_newtable(L);
  for (int i = 0; i < THREADS; i++) {
    threads[i] = lua_newthread(L);
    if (i % 3 == 2) {
      lua_xmove(L, threads[i - 1], 1); /* on the stack of the one before */
    } else {
      lua_rawseti(L, 1, i + 1);
    }
    lua_pushfstring(L, "value of thread %d", i);
    lua_createtable(L, 1, 0);
    lua_pushinteger(L, i);
    lua_rawseti(L, -2, 1);
    lua_xmove(L, threads[i], 2);
    if (i % 20 == 0)
      host_collect(L);
  }
  for (int round = 0; round < 3; round++) {
    if (round)
      host_collect(L);
    for (int i = 0; i < THREADS; i++) {
      lua_State *T = threads[i];
      CHECK(lua_gettop(T) == (i % 3 == 1 && i + 1 < THREADS ? 3 : 2), "values on thread %d", i);
      lua_pushfstring(L, "value of thread %d", i);
      CHECK(strcmp(lua_tostring(T, 1), lua_tostring(L, -1)) == 0, "its string");
      lua_pop(L, 1);
      lua_rawgeti(T, 2, 1);
      CHECK(host_pop_integer(T) == i, "its table");
      lua_createtable(T, 1, 0); /* a young one in place of the old */
      lua_pushinteger(T, i);
      lua_rawseti(T, -2, 1);
      lua_replace(T, 2);
      if (i % 16 == 0)
        host_step(L);
    }
  }
  lua_settop(L, 0);
  host_weak_table(L, "v"); /* a thread that nothing holds is garbage, with what it holds */
  lua_State *T = lua_newthread(L);
  lua_pushvalue(L, -1);
  lua_rawseti(L, 1, 1);
  lua_newtable(T);
  lua_pushvalue(T, -1);
  lua_xmove(T, L, 1);
  lua_rawseti(L, 1, 2);
  host_collect(L);
  CHECK(host_entries(L, 1) == 2, "thread and its value are held");
  lua_pop(L, 1);
  host_collect(L);
  CHECK(host_entries(L, 1) == 0, "both are gone");
  lua_settop(L, 0);
}

/* The memory that lua_getextraspace gives is the thread's, stays in place, and starts as a copy of the main thread's. */
void api_extra_space(lua_State *L) {
  luaL_checkstack(L, 40, "no stack");
  void *host = &host_checks;
  memcpy(lua_getextraspace(L), &host, sizeof host);
  void *spaces[20];
  for (int i = 0; i < 20; i++) {
    lua_State *T = lua_newthread(L);
    spaces[i] = lua_getextraspace(T);
    CHECK(memcmp(spaces[i], &host, sizeof host) == 0, "copied");
    memcpy(spaces[i], &spaces[i], sizeof(void *));
  }
  host_collect(L);
  host_collect(L);
  for (int i = 0; i < 20; i++)
    CHECK(lua_getextraspace(lua_tothread(L, i + 1)) == spaces[i] && *(void **)spaces[i] == spaces[i],
          "in place");
  CHECK(memcmp(lua_getextraspace(L), &host, sizeof host) == 0, "the main thread's");
  lua_settop(L, 0);
}

static int continued(lua_State *L, int status, lua_KContext context) {
  CHECK(status == LUA_YIELD, "resumed");
  host_collect(L);
  lua_Integer n = (lua_Integer)context;
  CHECK(lua_istable(L, 1) && lua_tointeger(L, lua_upvalueindex(1)) == 7,
        "stack and upvalues of the function");
  if (n == 0) {
    lua_pushvalue(L, 1);
    return 1;
  }
  lua_pushinteger(L, n);
  return lua_yieldk(L, 1, (lua_KContext)(n - 1), continued);
}

static int counting(lua_State *L) {
  lua_settop(L, 1);
  return continued(L, LUA_YIELD, 5);
}

static int after_pcall(lua_State *L, int status, lua_KContext context) {
  host_collect(L);
  CHECK(context == 99, "context");
  CHECK(status == LUA_YIELD || status == LUA_ERRRUN, "status %d", status);
  lua_pushinteger(L, status);
  lua_insert(L, 1);
  return lua_gettop(L);
}

static int protecting(lua_State *L) {
  return after_pcall(L, lua_pcallk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, 99, after_pcall), 99);
}

/* C functions that yield: lua_yieldk, lua_pcallk, lua_callk across lua_resume. */
void api_yields(lua_State *L) {
  lua_State *T = lua_newthread(L);
  lua_pushinteger(T, 7);
  lua_pushcclosure(T, counting, 1);
  lua_newtable(T);
  lua_pushliteral(T, "mine");
  lua_rawseti(T, -2, 1);
  int results, arguments = 1;
  for (int i = 5; i > 0; i--) {
    CHECK(lua_resume(T, L, arguments, &results) == LUA_YIELD && results == 1, "yield %d", i);
    CHECK(host_pop_integer(T) == i, "counted down");
    host_collect(L);
    arguments = 0;
  }
  CHECK(lua_resume(T, L, 0, &results) == LUA_OK && results == 1, "finished");
  lua_rawgeti(T, -1, 1);
  CHECK(strcmp(lua_tostring(T, -1), "mine") == 0, "its argument came back");
  lua_settop(T, 0);

  for (int failing = 0; failing < 2; failing++) {
    lua_pushcfunction(T, protecting);
    host_run(T,
             "return function(fail) local t = {'local'}; local x = coroutine.yield('asked');"
             "if fail then error({t}) end return t, x end",
             1);
    lua_pushboolean(T, failing);
    CHECK(lua_resume(T, L, 2, &results) == LUA_YIELD && results == 1, "yield inside lua_pcallk");
    lua_pop(T, results);
    host_collect(L);
    lua_pushliteral(T, "answer");
    CHECK(lua_resume(T, L, 1, &results) == LUA_OK, "finished");
    CHECK(lua_tointeger(T, 1) == (failing ? LUA_ERRRUN : LUA_YIELD), "status");
    CHECK(lua_istable(T, 2) && (failing || strcmp(lua_tostring(T, 3), "answer") == 0), "results");
    lua_settop(T, 0);
  }

  host_run(T, "return function() local t = {'in error'}; error(t) end", 1);
  CHECK(lua_resume(T, L, 0, &results) == LUA_ERRRUN, "an error");
  host_collect(L);
  CHECK(lua_status(T) == LUA_ERRRUN, "status of the thread");
  lua_xmove(T, L, 1); /* its own stack is not unwound and may be full */
  lua_rawgeti(L, -1, 1);
  CHECK(strcmp(lua_tostring(L, -1), "in error") == 0, "its error object");
  lua_settop(L, 0);
}

static int reset(lua_State *L, lua_State *T) {
#if LUA_VERSION_RELEASE_NUM >= 50406
  return lua_closethread(T, L);
#else
  (void)L;
  return lua_resetthread(T);
#endif
}

/* lua_resetthread (lua_closethread since 5.4.6): pending to-be-closed variables, errors, use again. */
void api_reset_thread(lua_State *L) {
  lua_newtable(L); /* a log */
  lua_setglobal(L, "log");
  lua_State *T = lua_newthread(L);
  for (int round = 0; round < 6; round++) {
    int failing = round % 2;
    host_run(T,
             "return function(fail) local upvalue = {'up'}\n"
             "local a <close> = setmetatable({}, {__close = function(_, e) log[#log + 1] = {'a', e}; "
             "collectgarbage() end})\n"
             "local b <close> = setmetatable({}, {__close = function() log[#log + 1] = {'b'}; "
             "if fail then error({'E'}) end end})\n"
             "coroutine.yield(function() return upvalue[1] end) end",
             1);
    lua_pushboolean(T, failing);
    int results;
    CHECK(lua_resume(T, L, 1, &results) == LUA_YIELD && results == 1, "suspended");
    lua_xmove(T, L, 1);
    host_collect(L);
    CHECK(reset(L, T) == (failing ? LUA_ERRRUN : LUA_OK), "status of the reset");
    CHECK(lua_gettop(T) == failing, "the error object, or nothing");
    host_collect(L);
    if (failing) {
      lua_rawgeti(T, 1, 1);
      CHECK(strcmp(lua_tostring(T, -1), "E") == 0, "the error object");
    }
    lua_settop(T, 0);
    CHECK(lua_status(T) == LUA_OK, "ready for use");
    lua_call(L, 0, 1);
    CHECK(strcmp(lua_tostring(L, -1), "up") == 0, "a closure over its locals lives on");
    lua_pop(L, 1);
  }
  host_run(L, "assert(#log == 12 and log[1][1] == 'b' and log[2][1] == 'a' and log[4][2][1] == 'E')", 0);
  host_run(L, "log = nil", 0);
  lua_settop(L, 0);
}

static int log_close(lua_State *L) {
  lua_getfield(L, 1, "name");
  lua_setglobal(L, "last_closed");
  host_collect(L);
  return 0;
}

static void push_closable(lua_State *L, const char *name) {
  lua_newtable(L);
  lua_pushfstring(L, "%s", name);
  lua_setfield(L, -2, "name");
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, log_close);
  lua_setfield(L, -2, "__close");
  lua_setmetatable(L, -2);
}

static void check_closed(lua_State *L, const char *name) {
  lua_getglobal(L, "last_closed");
  CHECK(strcmp(lua_tostring(L, -1), name) == 0, "closed %s, not %s", lua_tostring(L, -1), name);
  lua_pop(L, 1);
}

static int with_slots(lua_State *L) {
  int failing = lua_toboolean(L, 1);
  push_closable(L, "first");
  lua_toclose(L, -1);
  push_closable(L, "second");
  lua_toclose(L, -1);
  push_closable(L, "third");
  lua_toclose(L, -1);
  host_collect(L);
  lua_closeslot(L, -1);
  check_closed(L, "third");
  lua_pop(L, 2);
  check_closed(L, "second");
  if (failing)
    return luaL_error(L, "failed on purpose");
  lua_newtable(L);
  return 1;
}

/* lua_toclose, lua_closeslot, and the return or error that closes the rest. */
void api_to_be_closed(lua_State *L) {
  for (int failing = 0; failing < 2; failing++) {
    lua_pushcfunction(L, with_slots);
    lua_pushboolean(L, failing);
    int status = lua_pcall(L, 1, 1, 0);
    CHECK(status == (failing ? LUA_ERRRUN : LUA_OK), "status");
    CHECK(failing ? lua_isstring(L, -1) : lua_istable(L, -1), "result");
    check_closed(L, "first");
    lua_pop(L, 1);
  }
}

static int hooked;

static void hook(lua_State *L, lua_Debug *ar) {
  lua_getinfo(L, "nSl", ar);
  hooked++;
  if (hooked % 20 == 0)
    host_collect(L);
  else
    host_step(L);
}

/* Hooks that collect at any instruction, line, call and return; locals set from outside. */
void api_hooks(lua_State *L) {
  hooked = 0;
  host_run(
      L,
      "return function(n) local t, s = {}, ''; for i = 1, n do local u = {i}; t[i] = function() return u "
      "end; "
      "s = s .. i; t[i + n] = s end\nlocal sum = 0; for i = 1, n do sum = sum + t[i]()[1] + #t[i + n] end "
      "return sum end",
      1);
  static const int masks[] = {LUA_MASKCOUNT, LUA_MASKLINE, LUA_MASKCALL | LUA_MASKRET};
  for (int m = 0; m < 3; m++) {
    lua_sethook(L, hook, masks[m], 7);
    lua_pushvalue(L, 1);
    lua_pushinteger(L, 20);
    lua_call(L, 1, 1);
    lua_sethook(L, NULL, 0, 0);
    CHECK(host_pop_integer(L) == 210 + 45 + 231, "sum under a hook");
  }
  CHECK(hooked > 50, "hooks ran");
  lua_settop(L, 0);
  lua_State *T = lua_newthread(L);
  host_run(T, "return function() local slot = {'old'}; coroutine.yield(); return slot end", 1);
  int results;
  lua_resume(T, L, 0, &results);
  host_collect(L);
  host_collect(L);
  lua_Debug ar;
  CHECK(lua_getstack(T, 1, &ar), "the suspended function"); /* level 0 is yield */
  lua_createtable(T, 1, 0);
  lua_pushliteral(T, "young");
  lua_rawseti(T, -2, 1);
  CHECK(strcmp(lua_setlocal(T, &ar, 1), "slot") == 0, "its local");
  host_step(L);
  host_collect(L);
  CHECK(lua_resume(T, L, 0, &results) == LUA_OK && results == 1, "goes on");
  lua_rawgeti(T, -1, 1);
  CHECK(strcmp(lua_tostring(T, -1), "young") == 0, "with the young value");
  lua_settop(L, 0);
}
