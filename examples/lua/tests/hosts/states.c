/* Many states at once, each over a heap of its own: interleaved in one thread, and each in a thread of its own.
 *
 *   states [OPTIONS ...]
 *
 * The states are opened with the option strings in turn; without any, with each collector in turn. Prints
 * "states: N checks", or says what failed and exits with 1. */
#include "host.h"

#include <pthread.h>

static const char *const collectors[] = {"collector=mark-sweep", "collector=mark-compact",
                                         "collector=copying"};
static const char *const *option_list = collectors;
static int option_count = 3;

static const char *options_of(int i) { return option_list[i % option_count]; }
static const char *mode_of(int i) { return i / option_count % 2 ? "generational" : "incremental"; }

/* A program in steps: step(n) changes a graph and answers a number that depends on all steps so far. */
static const char program[] =
    "local state, graph, log = ..., {}, {}\n"
    "local function random(n) state = (state * 1103515245 + 12345) % 2147483648; return state // 65536 % n + "
    "1 end\n"
    "local weak = setmetatable({}, {__mode = 'v'})\n"
    "local attributes = setmetatable({}, {__mode = 'k'})\n"
    "for i = 1, 40 do graph[i] = {n = i, co = coroutine.wrap(function() local t = {i} while true do "
    "t[1] = t[1] + coroutine.yield(t[1]) end end)}; graph[i].co(0); attributes[graph[i]] = {i} end\n"
    "function step(n)\n"
    "  local a, b = graph[random(40)], random(40)\n"
    "  local node = {n = n, text = ('%d '):format(n):rep(random(12)), link = graph[b], get = function() "
    "return a end}\n"
    "  node.co = coroutine.wrap(function() local t = {n} while true do t[1] = t[1] + coroutine.yield(t[1]) "
    "end end)\n"
    "  node.co(0)\n"
    "  if random(6) > 1 then node.link = nil end\n"
    "  graph[b] = setmetatable(node, {__gc = function(o) log[#log + 1] = o.n end})\n"
    "  weak[n] = node; attributes[node] = {n}\n"
    "  local other = graph[random(40)]\n"
    "  assert(attributes[other][1] == other.n)\n"
    "  if #log > 50 then log = {} end\n"
    "  return other.n + #(other.text or '') + other.co(1) + (other.get and other.get().n or 0)\n"
    "end\n"
    "function whole()\n"
    "  collectgarbage()\n"
    "  local n = 0\n"
    "  for i = 1, 40 do assert(attributes[graph[i]][1] == graph[i].n); n = n + graph[i].n end\n"
    "  return n\n"
    "end\n";

static lua_State *open_program(int i, lua_Integer seed) {
  lua_State *L = host_open(options_of(i), mode_of(i));
  int status = luaL_loadstring(L, program);
  lua_pushinteger(L, seed);
  if (status == LUA_OK)
    status = lua_pcall(L, 1, 0, 0);
  CHECK(status == LUA_OK, "%s", lua_tostring(L, -1));
  return L;
}

static lua_Integer call(lua_State *L, const char *function, int argument) {
  lua_getglobal(L, function);
  lua_pushinteger(L, argument);
  int status = lua_pcall(L, 1, 1, 0);
  CHECK(status == LUA_OK, "%s: %s", function, lua_tostring(L, -1));
  return host_pop_integer(L);
}

/* States with one seed give the same answers, whatever collects; all are closed in an order of their own. */
static void interleaved(int count, int steps, int closing) {
  lua_State **states = calloc((size_t)count, sizeof *states);
  CHECK(states != NULL, "memory of the test");
  for (int i = 0; i < count; i++)
    states[i] = open_program(i, 42);
  for (int n = 1; n <= steps; n++) {
    lua_Integer expected = call(states[0], "step", n);
    int same = 1;
    for (int i = 1; i < count; i++)
      same &= call(states[i], "step", n) == expected;
    CHECK(same, "step %d is the same in all states", n);
    if (n % 7 == 0)
      host_collect(states[n % count]);
  }
  lua_Integer expected = call(states[0], "whole", 0);
  for (int i = 0; i < count; i++)
    CHECK(call(states[i], "whole", 0) == expected, "state %d in the end", i);
  for (int k = 0; k < count; k++) {
    int i = closing == 0   ? k
            : closing == 1 ? count - 1 - k
                           : k * 5 % count; /* 5 and count have no common divisor */
    lua_close(states[i]);
    states[i] = NULL;
    for (int j = 0; j < count; j++)
      if (states[j])
        CHECK(call(states[j], "whole", 0) == expected, "state %d after others were closed", j);
  }
  free(states);
}

/* Opened and closed, one after another and some at a time; each does a little. */
static void opened_and_closed(int count) {
  lua_State *open[8] = {NULL};
  for (int i = 0; i < count; i++) {
    int slot = i * 5 % 8;
    if (open[slot]) {
      CHECK(call(open[slot], "whole", 0) > 0, "an older state");
      lua_close(open[slot]);
    }
    open[slot] = open_program(i, i + 1);
    for (int n = 1; n <= 5; n++)
      call(open[slot], "step", n);
  }
  for (int slot = 0; slot < 8; slot++)
    lua_close(open[slot]);
}

typedef struct worker {
  pthread_t thread;
  int number, steps;
  lua_Integer answer;
} worker;

static void *work(void *context) {
  worker *w = context;
  lua_State *L = open_program(w->number, 7);
  for (int n = 1; n <= w->steps; n++) {
    w->answer = w->answer * 31 % 1000003 + call(L, "step", n);
    if (n % 50 == 0)
      host_collect(L);
  }
  w->answer += call(L, "whole", 0);
  lua_close(L);
  for (int i = 0; i < 5; i++) { /* short-lived ones beside the others' work */
    L = open_program(w->number + i, i);
    call(L, "step", 1);
    lua_close(L);
  }
  return NULL;
}

/* Each state in a thread of its own, all at the same time. */
static void in_threads(int count, int steps) {
  worker *workers = calloc((size_t)count, sizeof *workers);
  CHECK(workers != NULL, "memory of the test");
  for (int i = 0; i < count; i++) {
    workers[i].number = i;
    workers[i].steps = steps;
    CHECK(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0, "a thread");
  }
  for (int i = 0; i < count; i++) {
    CHECK(pthread_join(workers[i].thread, NULL) == 0, "joined");
    CHECK(workers[i].answer == workers[0].answer, "thread %d has the same answer", i);
  }
  free(workers);
}

int main(int count, char **arguments) {
  if (count > 1) {
    option_list = (const char *const *)arguments + 1;
    option_count = count - 1;
  }
  for (int closing = 0; closing < 3; closing++)
    interleaved(6 + closing % 2 * 2, 60, closing);
  opened_and_closed(200);
  in_threads(6, 200);
  printf("states: %d checks\n", host_checks);
  return 0;
}
