/* Side tables: what the heap knows of some few objects, by their addresses. An entry does not keep its object
 * alive: at the end of each collection's marking the tables are told which objects are gone and where the
 * others are. A minor collection asks only about entries that are new since the last collection: an old
 * object neither dies nor moves in it. */
#ifndef MIDDEN_GC_SIDE_H
#define MIDDEN_GC_SIDE_H

#include "base/address_table.h"

struct core;

/* Invariant: every entry's object is allocated; in a generational heap those that are not old are on the list
 * of young ones, which may also name some that are old. Suspended during a collection. */
struct side_table {
  struct address_table table;
  uintptr_t *young;
  size_t young_count, young_capacity;
  /* Called for an entry whose object is gone; may be NULL. */
  void (*dropped)(struct core *core, uint64_t value);
};

/* The word of an object, 0 if it is new. post: NULL if there is no memory for an entry, and nothing has changed. */
uint64_t *mdn_side_add(struct core *core, struct side_table *side, uintptr_t cell);

/* Drops what is gone from all tables of the heap, and rewrites what was copied: a part of the weak processing.
 * pre: what is alive is final. Needs no memory. */
void mdn_side_update(struct core *core, bool minor);

/* Where a live cell of a span that is flagged PAGE_EVACUATE goes. */
typedef uintptr_t (*where_function)(const struct core *core, uintptr_t cell);

/* Rewrites what moves after that: a part of fixing. Needs no memory. */
void mdn_side_move(struct core *core, where_function where);

/* Who wants to know of every object what becomes of it in a collection; called before the tables change. */
struct move_watch {
  struct move_watch *next;
  /* What is alive is final: see weak_live and weak_now. Some collectors have copied by now. */
  void (*settled)(struct move_watch *watch, struct core *core, bool minor);
  /* Live cells of spans that are flagged PAGE_EVACUATE, and were not copied before, go where `where` says. */
  void (*moved)(struct move_watch *watch, struct core *core, where_function where);
};

#endif
