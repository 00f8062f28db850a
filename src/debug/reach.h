/* What the roots of a graph reach, breadth first, so that the first way found to an object is a shortest one.
 *
 * An ephemeron's value is reached once its key and what holds the ephemeron are; those whose keys are not yet reached wait
 * in lists by key. */
#ifndef MIDDEN_DEBUG_REACH_H
#define MIDDEN_DEBUG_REACH_H

#include "debug/graph.h"

/* A node as it is, and a root as its index beyond all nodes. */
struct reach_ephemeron {
  uint32_t holder; /* a node or a root */
  uint32_t key, value;
  uint32_t next;   /* of the same key */
};

struct reach {
  const struct graph *graph;
  struct table parents;    /* uint32_t by node: what it was first reached from, a node or a root; GRAPH_NONE: not reached */
  struct table queue;      /* uint32_t: the nodes that are reached, in order */
  struct table heads;      /* uint32_t by key: its ephemerons; empty as long as there are none */
  struct table ephemerons; /* struct reach_ephemeron */
  size_t next;             /* in the queue */
  uint32_t holder;         /* of the edges that are being visited */
  bool weakly, refused;
};

bool mdn_reach_open(struct reach *reach, const struct graph *graph, midden_error *error);
void mdn_reach_close(struct reach *reach);

/* Adds what is reached from the roots [first, end) by what holds. post: false, and *error: NO_MEMORY. */
bool mdn_reach_from(struct reach *reach, size_t first, size_t end, midden_error *error);
/* Adds what finalizers hold that have not been queued; and then, what is reached through any edge. */
bool mdn_reach_finalizers(struct reach *reach, midden_error *error);
bool mdn_reach_weakly(struct reach *reach, midden_error *error);

static inline uint32_t reach_parent(const struct reach *reach, uint32_t node) {
  return ((const uint32_t *)reach->parents.items)[node];
}
static inline bool reach_has(const struct reach *reach, uint32_t node) { return reach_parent(reach, node) != GRAPH_NONE; }
static inline uint32_t reach_queued(const struct reach *reach, size_t index) {
  return ((const uint32_t *)reach->queue.items)[index];
}
/* The first ephemeron with this key, GRAPH_NONE if there is none. */
static inline uint32_t reach_ephemerons_of(const struct reach *reach, uint32_t key) {
  return reach->heads.count ? ((const uint32_t *)reach->heads.items)[key] : GRAPH_NONE;
}
static inline const struct reach_ephemeron *reach_ephemeron_at(const struct reach *reach, uint32_t index) {
  return &((const struct reach_ephemeron *)reach->ephemerons.items)[index];
}

#endif
