/* A Lua state's heap, and what the parts of the collector share.
 *
 * What Lua calls a collectable object is a midden object of a kind of its own; what Lua calls a buffer (a table's arrays,
 * a stack, a prototype's code) is a raw block, which its owner frees. Strings, userdata, prototypes and threads never
 * move. Tables, closures and closed upvalues do, in full collections of a collector that moves; which of them stay is
 * said where they are pinned.
 *
 * In each collection, in this order: objects are marked from the roots (trace.c); the end of marking decides what is weak,
 * finalized and interned (liveness.c); then dead tables and prototypes free their buffers (kinds.c), objects move, and
 * trace.c rewrites what refers to them. */
#ifndef MIDDEN_LUA_GUEST_H
#define MIDDEN_LUA_GUEST_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "midden/midden.h"
#include "versions.h"

/* What a trace function is called for. */
typedef enum guest_phase {
  GUEST_IDLE,    /* no collection: the heap's own tools look at objects */
  GUEST_MARKING, /* the metatables that say what is weak can be read; objects may be linked and their headers changed */
  GUEST_FIXING,  /* what was marked is moving: only slots that may refer to what moves are visited, and nothing is followed */
  GUEST_CLOSING  /* the state is being closed: buffers go with the heap */
} guest_phase;

/* Bits of an object's header byte that stock Lua uses for ages, and nothing outside lgc.c looks at. */
enum {
  HEADER_LISTED = 1 << 0,  /* table: it waits for the end of marking, on guest.listed */
  HEADER_THREADS = 1 << 1, /* table on that list: an ephemeron's key or value is a coroutine */
  HEADER_CLOSED = 1 << 2,  /* upvalue: marking has found it closed */
  HEADER_OWNED = 1 << 0    /* thread: it is an object of the heap; known from guest_prepare_threads on */
};

/* Short strings made since the last collection: a minor collection looks at these instead of the whole string table.
 * Invariant: in generational mode all of them are here, unless `overflowed`. */
typedef struct young_strings {
  TString **strings;
  size_t count, capacity;
  bool overflowed;
} young_strings;

typedef struct guest_pace {
  size_t every;         /* collect at the first check after so many bytes, by force; SIZE_MAX: when it pays */
  size_t live;          /* bytes in use after the last collection */
  unsigned minors_off;  /* full collections to come before minor ones are tried again */
  unsigned minors_back; /* how many it was the last time that they did not pay */
} guest_pace;

struct guest {
  global_State *state;
  midden_heap *heap;
  midden_mutator *mutator;
  pthread_t user; /* that uses the state: the heap's, as far as this collector knows */
  /* By sort of object. Tables, upvalues, prototypes and threads are of fixed size. */
  midden_kind short_string, long_string, table, lua_closure, c_closure, upvalue, userdata, prototype, thread;
  l_mem object_bytes; /* of cells, as far as the state's account (gettotalbytes) has them: midden's used_bytes */

  guest_phase phase;
  bool minor, moving; /* the collection that runs */
  bool blacken;       /* survivors' headers become black, so that Lua's barriers call for them */
  bool generational;  /* the heap can make minor collections */
  bool moves;         /* its collector is one that moves */
  bool verified;      /* verify=before looks for stores that it was not told of: it is told of all, in each of Lua's modes */
  Table *listed;      /* tables for the end of marking, linked by their gclist */
  lua_State *running; /* who asked for the collection */
  GCObject *old_finalizable; /* from here on, g->finobj has only old objects: a minor collection stops here */
  young_strings young;
  guest_pace pace;

  /* What was allocated before the heap was there, and by whom. */
  lua_Alloc first_alloc;
  void *first_data;
  void *first_stack, *main_block;
};

/* The heap lies where stock's generational collector keeps a list. */
static inline struct guest *guest_of(const global_State *g) { return (struct guest *)g->firstold1; }

/* ---- objects as midden knows them ---- */

/* A value that refers to a thread points into it, past the extra space. */
static inline void *thread_object(const void *thread) { return (char *)(uintptr_t)thread - offsetof(thread_block, state); }

#define tag_is_thread(tag) (((tag) & 0x0f) == LUA_TTHREAD)
#define tag_is_string(tag) (((tag) & 0x0f) == LUA_TSTRING)
/* Tables and closures, which a value can hold and which may move. */
#define tag_moves(tag) ((unsigned)((tag) & 0x0f) - LUA_TTABLE <= LUA_TFUNCTION - LUA_TTABLE)

static inline void *object_of(lu_byte tag, const GCObject *o) {
  return tag_is_thread(tag) ? thread_object(o) : (void *)(uintptr_t)o;
}

static inline size_t cell_bytes(size_t size) {
  return size <= MIDDEN_SMALL_LOOKUP ? midden_class_size[midden_class_of_eighth[(size + 7) >> 3]] : midden_good_size(size);
}

static inline void account_object(struct guest *guest, size_t cell) {
  guest->object_bytes += (l_mem)cell;
  guest->state->GCdebt += (l_mem)cell;
}

/* ---- open.c ---- */

/* Opens the heap of a state that has none yet. post: the guest; or NULL, and a line on stderr says why. */
struct guest *guest_open(lua_State *L);
/* Gives all back. The state's own block is the caller's. */
void guest_close(struct guest *guest);

/* ---- options.c ---- */

/* Applies a string such as MIDDEN_LUA's: the heap's options and ours. post: as midden_config_parse. */
midden_status guest_parse_options(struct guest *guest, midden_config *config, const char *options, midden_error *error);

/* ---- kinds.c ---- */

midden_status guest_define_kinds(struct guest *guest, midden_error *error);
/* At the end of a state: takes the buffers of all tables and prototypes off its account. */
void guest_free_all_buffers(struct guest *guest);

/* ---- trace.c ---- */

void guest_trace_table(void *object, size_t size, midden_visitor *visitor, void *context);
void guest_trace_lua_closure(void *object, size_t size, midden_visitor *visitor, void *context);
void guest_trace_c_closure(void *object, size_t size, midden_visitor *visitor, void *context);
void guest_trace_upvalue(void *object, size_t size, midden_visitor *visitor, void *context);
void guest_trace_userdata(void *object, size_t size, midden_visitor *visitor, void *context);
void guest_trace_prototype(void *object, size_t size, midden_visitor *visitor, void *context);
void guest_trace_thread(void *object, size_t size, midden_visitor *visitor, void *context);
/* The roots outside the heap's objects. */
void guest_scan_roots(midden_visitor *visitor, void *context);

typedef enum weak_mode { WEAK_NOT = 0, WEAK_KEYS = 1, WEAK_VALUES = 2, WEAK_BOTH = 3 } weak_mode;
weak_mode guest_weak_mode(struct guest *guest, const Table *h);

/* ---- liveness.c: the end of marking, in Lua's order ---- */

void guest_marking_phase(midden_marking *marking, midden_phase phase, void *context);

static inline bool is_marked(const midden_marking *marking, lu_byte tag, const GCObject *o) {
  return midden_marking_is_marked(marking, (uintptr_t)object_of(tag, o));
}

/* ---- weak.c ---- */

/* Takes tables off the list that are not marked. */
void guest_drop_dead_tables(struct guest *guest, const midden_marking *marking);
/* Marks what coroutines as keys hold in ephemeron tables. post: whether something was marked. */
void guest_settle_thread_keys(struct guest *guest, midden_marking *marking);
/* Clears weak values that are dead, in the tables listed before `until`. */
void guest_clear_values(struct guest *guest, midden_marking *marking, const Table *until);
/* Clears what is dead by its key, settles removed keys, and pins the keys that live. Empties the list. */
void guest_finish_tables(struct guest *guest, midden_marking *marking);
/* When marking never came to its end, because the verifier had found something. */
void guest_forget_tables(struct guest *guest);

/* ---- finalizers.c ---- */

/* Queues the finalizers of what is not marked, and keeps that. */
void guest_separate_finalizable(struct guest *guest, midden_marking *marking);
/* The same for everything, at the end. */
void guest_separate_all(global_State *g);
void guest_call_finalizers(lua_State *L);
/* At the end: nothing is added any more. */
void guest_call_all_finalizers(lua_State *L);

/* ---- strings.c ---- */

/* Takes dead strings out of the string table and the cache. */
void guest_sweep_strings(struct guest *guest, const midden_marking *marking);
void guest_note_young_string(struct guest *guest, TString *string);

/* ---- threads.c ---- */

/* Whether a thread is an object of the heap. The main one is not, nor is one that an allocator of the host's made. */
static inline bool thread_is_owned(const lua_State *thread) { return thread->marked & HEADER_OWNED; }

/* Frees the threads that are not marked, and closes their upvalues. */
void guest_free_dead_threads(struct guest *guest, midden_marking *marking);
/* Before a collection: stacks that are much too large shrink, and a minor one will look at all threads again. */
void guest_prepare_threads(struct guest *guest, bool shrink);
/* At the end of a state. */
void guest_free_all_threads(lua_State *L);

/* ---- allocator.c ---- */

void *guest_allocate(void *data, void *block, size_t old_size, size_t new_size);
/* An object of a kind, wherever the state is used now. post: NULL if memory is refused. */
void *guest_new_object(struct guest *guest, midden_kind kind, size_t size);
/* A state may be used by one thread after another. If this one is not the one that the heap knows, it becomes it.
 * post: whether that has changed. */
bool guest_follow_thread(struct guest *guest);

/* ---- collect.c ---- */

typedef enum guest_collection { GUEST_MINOR, GUEST_PACED, GUEST_FULL, GUEST_EMERGENCY } guest_collection;

/* Collects; runs no finalizers. post: the state's account is exact. */
void guest_collect(lua_State *L, guest_collection collection);
/* After one: how long to wait for the next. */
void guest_pace_full(struct guest *guest);
/* `before`: the bytes that were in use. */
void guest_pace_minor(struct guest *guest, size_t before);
/* The bytes in use at which the next collection is a full one, in generational mode. */
size_t guest_full_threshold(const global_State *g);

#endif
