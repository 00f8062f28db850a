/* A collector: a policy over the shared parts. It decides which spans are evacuated, slid or left in
 * place; tracing, pins, roots and sweeping are shared.
 *
 * A new collector is one file, collector_<name>.c, that defines one of these, and one word in the
 * build's list. collector_none.c is the template. */
#ifndef MIDDEN_GC_COLLECTOR_H
#define MIDDEN_GC_COLLECTOR_H

#include "gc/core.h"

enum {
  COLLECTOR_COLLECTS = 1,
  COLLECTOR_MOVES = 2,
  COLLECTOR_NEEDS_ROOM = 4 /* works best with as much free as live memory */
};

struct collector {
  const char *name;    /* as in the option `collector` */
  const char *summary; /* one line of help */
  unsigned capabilities;
  /* Collects the whole heap. pre: runs are flushed. post: mdn_sweep's. NULL without COLLECTOR_COLLECTS. */
  void (*collect)(const struct collection *collection);
  /* The name of a collector that does better when memory is refused even after a collection; or NULL. It
   * may move objects only if this one does. */
  const char *last_resort;
};

/* The collectors of the build, in its order. post: NULL past the last, or if there is none of the name. */
const struct collector *mdn_collector_at(size_t index);
const struct collector *mdn_collector_named(const char *name);
/* Writes "a, b or c". */
void mdn_collector_list(char *text, size_t capacity);

#endif
