/* The edges of a snapshot, each with a name. */
#include <stdio.h>

#include "debug/names.h"
#include "debug/snapshot.h"

/* ---- counting ---- */

static void count_edge(void *context, const struct graph_edge *edge) {
  struct snapshot *snapshot = context;
  if (snapshot_place(snapshot, edge->to)) ((uint32_t *)snapshot->counts.items)[snapshot->from]++;
}

static void count_roots(struct snapshot *snapshot) {
  const struct graph *graph = snapshot->graph;
  for (size_t i = 0; i < graph->roots.count; i++) {
    const struct graph_root *root = graph_root_at(graph, i);
    if (snapshot_place(snapshot, root->node)) snapshot->group_counts[root->type]++;
  }
}

/* Besides its own edges: one to the value of each ephemeron that it is the key of, and to its external memory. */
static void count_of_node(struct snapshot *snapshot, uint32_t node) {
  uint32_t *count = &((uint32_t *)snapshot->counts.items)[node];
  snapshot->from = node;
  mdn_graph_visit(snapshot->graph, node, count_edge, snapshot);
  for (uint32_t i = reach_ephemerons_of(&snapshot->reach, node); i != GRAPH_NONE;) {
    ++*count;
    i = reach_ephemeron_at(&snapshot->reach, i)->next;
  }
  if (!snapshot_external(snapshot, node)) return;
  ++*count;
  snapshot->externals++;
}

void mdn_snapshot_count_edges(struct snapshot *snapshot) {
  count_roots(snapshot);
  snapshot->edges = 1; /* to "(GC roots)" */
  for (int type = 0; type < GRAPH_ROOT_TYPES; type++) {
    snapshot->edges += snapshot->group_counts[type] + (snapshot->group_counts[type] > 0);
    snapshot->groups += snapshot->group_counts[type] > 0;
  }
  for (uint32_t node = 0; node < snapshot->graph->nodes; node++) {
    if (!snapshot_place(snapshot, node)) continue;
    count_of_node(snapshot, node);
    snapshot->edges += ((const uint32_t *)snapshot->counts.items)[node];
  }
}

/* ---- writing ---- */

/* `name`: a string's number, or that of an element or hidden edge. */
static void write_edge(struct snapshot *snapshot, enum snapshot_edge type, uint64_t name, size_t place) {
  struct output *output = &snapshot->output;
  mdn_output_text(output, snapshot->separate ? ",\n" : "");
  snapshot->separate = true;
  mdn_output_number(output, type);
  mdn_output_text(output, ",");
  mdn_output_number(output, name);
  mdn_output_text(output, ",");
  mdn_output_number(output, place * NODE_FIELDS);
}

static void write_named_edge(struct snapshot *snapshot, enum snapshot_edge type, const char *name, size_t place) {
  write_edge(snapshot, type, mdn_strings_number(&snapshot->strings, name), place);
}

static enum snapshot_edge edge_type(enum edge_strength strength, uint32_t key) {
  if (strength == EDGE_VALUE) return key == GRAPH_NONE ? SNAPSHOT_INTERNAL : SNAPSHOT_WEAK;
  if (strength == EDGE_AMBIGUOUS) return SNAPSHOT_HIDDEN;
  return edge_holds(strength) ? SNAPSHOT_PROPERTY : SNAPSHOT_WEAK;
}

static void write_object_edge(void *context, const struct graph_edge *edge) {
  struct snapshot *snapshot = context;
  size_t place = snapshot_place(snapshot, edge->to);
  if (!place) return;
  enum snapshot_edge type = edge_type(edge->strength, edge->key);
  struct slot_name name;
  mdn_slot_name(snapshot->graph, edge, &name);
  if (type == SNAPSHOT_HIDDEN) {
    write_edge(snapshot, type, edge->index, place);
  } else if (type == SNAPSHOT_PROPERTY && name.element) {
    write_edge(snapshot, SNAPSHOT_ELEMENT, name.number, place);
  } else {
    write_named_edge(snapshot, type, name.text + (name.text[0] == '.'), place);
  }
}

static void write_roots_of(struct snapshot *snapshot, enum graph_root_type type) {
  const struct graph *graph = snapshot->graph;
  for (size_t i = 0; i < graph->roots.count; i++) {
    const struct graph_root *root = graph_root_at(graph, i);
    size_t place = snapshot_place(snapshot, root->node);
    if (root->type != type || !place) continue;
    char name[256];
    mdn_root_text(root, true, name, sizeof name);
    enum snapshot_edge kind = edge_type(root->strength, root->key);
    write_named_edge(snapshot, kind == SNAPSHOT_HIDDEN ? SNAPSHOT_INTERNAL : kind, name, place);
  }
}

void mdn_snapshot_write_edges(struct snapshot *snapshot) {
  uint64_t group = 0;
  write_edge(snapshot, SNAPSHOT_ELEMENT, 1, 1);
  for (int type = 0; type < GRAPH_ROOT_TYPES; type++) {
    if (snapshot->group_places[type]) write_edge(snapshot, SNAPSHOT_ELEMENT, ++group, snapshot->group_places[type]);
  }
  for (int type = 0; type < GRAPH_ROOT_TYPES; type++) {
    if (snapshot->group_places[type]) write_roots_of(snapshot, (enum graph_root_type)type);
  }
  for (uint32_t node = 0; node < snapshot->graph->nodes; node++) {
    if (!snapshot_place(snapshot, node)) continue;
    mdn_graph_visit(snapshot->graph, node, write_object_edge, snapshot);
    for (uint32_t i = reach_ephemerons_of(&snapshot->reach, node); i != GRAPH_NONE;) {
      const struct reach_ephemeron *ephemeron = reach_ephemeron_at(&snapshot->reach, i);
      write_named_edge(snapshot, SNAPSHOT_INTERNAL, "(value of an ephemeron)", snapshot_place(snapshot, ephemeron->value));
      i = ephemeron->next;
    }
    if (snapshot_external(snapshot, node)) {
      write_named_edge(snapshot, SNAPSHOT_INTERNAL, "external memory", snapshot->next_external++);
    }
  }
}
