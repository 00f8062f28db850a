/* Dominators of a graph: an object is dominated by what every way from the roots to it passes. What an object dominates,
 * itself included, is what it retains.
 *
 * Lengauer, Tarjan, "A Fast Algorithm for Finding Dominators in a Flowgraph", TOPLAS 1979: the simple variant with path
 * compression, O(m log n). Nothing recurses: heaps hold lists of millions of objects. */
#ifndef MIDDEN_DEBUG_DOMINATORS_H
#define MIDDEN_DEBUG_DOMINATORS_H

#include "debug/reach.h"

/* Vertices are numbered in the order of a depth-first search; 0 stands for all the roots. */
struct dominators {
  const struct graph *graph;
  size_t count;          /* of vertices */
  struct table nodes;    /* uint32_t by vertex */
  struct table dominator; /* uint32_t by vertex: the immediate one, less than the vertex */
  struct table retained; /* uint64_t by vertex: bytes of cells */
};

/* post: false, and *error: NO_MEMORY. */
bool mdn_dominators_open(struct dominators *dominators, const struct graph *graph, midden_error *error);
void mdn_dominators_close(struct dominators *dominators);

static inline uint32_t dominators_node(const struct dominators *dominators, size_t vertex) {
  return ((const uint32_t *)dominators->nodes.items)[vertex];
}
static inline uint32_t dominators_of(const struct dominators *dominators, size_t vertex) {
  return ((const uint32_t *)dominators->dominator.items)[vertex];
}
static inline uint64_t dominators_retained(const struct dominators *dominators, size_t vertex) {
  return ((const uint64_t *)dominators->retained.items)[vertex];
}

#endif
