/* The parts of the program api: each exercises a corner of the C API on a state of its own. */
#ifndef API_H
#define API_H

#include "host.h"

/* Parts that get an open state, with an empty stack, and leave it so. */
void api_userdata(lua_State *L);
void api_user_values(lua_State *L);
void api_strings(lua_State *L);
void api_references(lua_State *L);
void api_pointers(lua_State *L);
void api_closures(lua_State *L);
void api_tables(lua_State *L);
void api_buffers(lua_State *L);
void api_load_and_dump(lua_State *L);
void api_threads(lua_State *L);
void api_extra_space(lua_State *L);
void api_yields(lua_State *L);
void api_reset_thread(lua_State *L);
void api_to_be_closed(lua_State *L);
void api_hooks(lua_State *L);
void api_stack(lua_State *L);
void api_modes(lua_State *L);
void api_warnings(lua_State *L);

/* Parts that open their own. */
void api_panic(const char *options);
void api_allocator_wrapped(const char *options);
void api_own_allocator(void);
void api_out_of_memory(const char *options);
void api_states_in_finalizers(const char *options);
void api_handed_over(const char *options);
void api_bad_options(void);

#endif
