/* A snapshot while it is written: what snapshot.c (the document) and snapshot_edges.c share. */
#ifndef MIDDEN_DEBUG_SNAPSHOT_H
#define MIDDEN_DEBUG_SNAPSHOT_H

#include "debug/output.h"
#include "debug/reach.h"
#include "debug/strings.h"

#define NODE_FIELDS 7 /* type, name, id, self_size, edge_count, trace_node_id, detachedness */
#define NODE_SYNTHETIC 9

/* V8's numbers. */
enum snapshot_edge { SNAPSHOT_ELEMENT = 1, SNAPSHOT_PROPERTY, SNAPSHOT_INTERNAL, SNAPSHOT_HIDDEN, SNAPSHOT_SHORTCUT, SNAPSHOT_WEAK };

/* Nodes are written in this order: the root, "(GC roots)", groups of roots, the objects that were reached by their
 * addresses, and the external memory of some of them. */
struct snapshot {
  struct graph *graph;
  const midden_snapshot_options *options;
  midden_error *error;
  struct reach reach;
  struct output output;
  struct strings strings;
  struct table places; /* uint32_t by node: its place in the document; 0: it is not in it */
  struct table counts; /* uint32_t by node: its edges */
  size_t group_places[GRAPH_ROOT_TYPES]; /* 0: no such roots */
  uint32_t group_counts[GRAPH_ROOT_TYPES];
  size_t groups, nodes, edges, externals;
  size_t first_external, next_external; /* places */
  uint32_t from;     /* the node whose edges are being visited */
  bool separate;     /* something was written before in this list */
};

static inline uint32_t snapshot_place(const struct snapshot *snapshot, uint32_t node) {
  return ((const uint32_t *)snapshot->places.items)[node];
}
/* The bytes outside the heap that are counted for an object. */
static inline uint64_t snapshot_external(const struct snapshot *snapshot, uint32_t node) {
  const struct core *core = snapshot->graph->core;
  const uint64_t *bytes = mdn_address_find(&core->externals.table, graph_cell(snapshot->graph, node));
  return bytes ? *bytes : 0;
}

/* Counts the edges of all nodes. */
void mdn_snapshot_count_edges(struct snapshot *snapshot);
/* Writes as many, in the order of their nodes. */
void mdn_snapshot_write_edges(struct snapshot *snapshot);

#endif
