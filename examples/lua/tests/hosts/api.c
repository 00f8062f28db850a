/* The C API in its corners, over a collector that may move things: what the manual promises about addresses, and what
 * hosts do with states, allocators and threads.
 *
 *   api [OPTIONS ...]
 *
 * Each argument is an option string for midden_lua_newstate; without one, the environment's. Uses the public API only,
 * so that it says the same of stock Lua (-DSTOCK). Prints "api: N checks", or says what failed and exits with 1. */
#include "api.h"

static void run_parts(const char *options, const char *mode) {
  void (*const parts[])(lua_State *) = {
      api_userdata, api_user_values, api_strings,       api_references, api_pointers,     api_closures,
      api_tables,   api_buffers,     api_load_and_dump, api_threads,    api_extra_space,  api_yields,
      api_hooks,    api_stack,       api_modes,         api_warnings,   api_reset_thread, api_to_be_closed,
  };
  size_t count = sizeof parts / sizeof *parts;
  for (size_t i = 0; i < count; i++) { /* each on a state of its own */
    lua_State *L = host_open(options, mode);
    parts[i](L);
    CHECK(lua_gettop(L) == 0, "part %zu leaves the stack empty", i);
    lua_close(L);
  }
  lua_State *L = host_open(options, mode); /* and all on one, twice */
  for (size_t i = 0; i < 2 * count; i++) {
    parts[i % count](L);
    host_collect(L);
  }
  lua_close(L);
}

static void run_all(const char *options) {
  run_parts(options, "incremental");
  run_parts(options, "generational");
  api_panic(options);
  api_allocator_wrapped(options);
  api_out_of_memory(options);
  api_states_in_finalizers(options);
  api_handed_over(options);
}

int main(int count, char **arguments) {
  if (count == 1)
    run_all(NULL);
  for (int i = 1; i < count; i++)
    run_all(arguments[i]);
  api_own_allocator();
  api_bad_options();
  printf("api: %d checks\n", host_checks);
  return 0;
}
