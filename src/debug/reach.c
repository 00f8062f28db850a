/* Reaching: see reach.h. */
#include "debug/reach.h"

#include <string.h>

static void fill_with_none(struct table *table) {
  if (table->count) memset(table->items, 0xff, table->count * sizeof(uint32_t));
}

bool mdn_reach_open(struct reach *reach, const struct graph *graph, midden_error *error) {
  *reach = (struct reach){.graph = graph};
  if (!mdn_graph_table(graph, &reach->parents, graph->nodes, sizeof(uint32_t), error) ||
      !mdn_graph_table(graph, &reach->queue, graph->nodes, sizeof(uint32_t), error)) {
    mdn_reach_close(reach);
    return false;
  }
  fill_with_none(&reach->parents);
  reach->queue.count = 0;
  return true;
}

void mdn_reach_close(struct reach *reach) {
  struct table *tables[] = {&reach->parents, &reach->queue, &reach->heads, &reach->ephemerons};
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) mdn_table_close(tables[i], reach->graph->memory);
}

static void reach_node(struct reach *reach, uint32_t node, uint32_t from) {
  uint32_t *parent = &((uint32_t *)reach->parents.items)[node];
  if (*parent != GRAPH_NONE) return;
  *parent = from;
  ((uint32_t *)reach->queue.items)[reach->queue.count++] = node;
}

static void note_ephemeron(struct reach *reach, uint32_t key, uint32_t value) {
  const midden_memory *memory = reach->graph->memory;
  struct table *noted = &reach->ephemerons;
  if (reach->heads.count == 0) {
    reach->refused |= !mdn_graph_table(reach->graph, &reach->heads, reach->graph->nodes, sizeof(uint32_t), NULL);
    if (!reach->refused) fill_with_none(&reach->heads);
  }
  reach->refused |= noted->count >= GRAPH_NONE || !table_grow(noted, memory, noted->count + 1, sizeof(struct reach_ephemeron));
  if (reach->refused) return;
  uint32_t *head = &((uint32_t *)reach->heads.items)[key];
  ((struct reach_ephemeron *)noted->items)[noted->count] = (struct reach_ephemeron){reach->holder, key, value, *head};
  *head = (uint32_t)noted->count++;
  if (reach_has(reach, key)) reach_node(reach, value, reach->holder);
}

static void reach_edge(void *context, const struct graph_edge *edge) {
  struct reach *reach = context;
  if (reach->weakly || edge_holds(edge->strength)) {
    reach_node(reach, edge->to, reach->holder);
  } else if (edge->strength == EDGE_VALUE) {
    if (edge->key == GRAPH_NONE) reach_node(reach, edge->to, reach->holder);
    else note_ephemeron(reach, edge->key, edge->to);
  }
}

static void reach_values(struct reach *reach, uint32_t key) {
  for (uint32_t i = reach_ephemerons_of(reach, key); i != GRAPH_NONE; i = reach_ephemeron_at(reach, i)->next) {
    reach_node(reach, reach_ephemeron_at(reach, i)->value, reach_ephemeron_at(reach, i)->holder);
  }
}

static void drain_queue(struct reach *reach) {
  while (reach->next < reach->queue.count && !reach->refused) {
    uint32_t node = reach_queued(reach, reach->next++);
    reach->holder = node;
    reach_values(reach, node);
    mdn_graph_visit(reach->graph, node, reach_edge, reach);
  }
}

static void reach_roots(struct reach *reach, size_t first, size_t end, bool any) {
  for (size_t i = first; i < end; i++) {
    const struct graph_root *root = graph_root_at(reach->graph, i);
    struct graph_edge edge = {GRAPH_NONE, root->node, any ? EDGE_STRONG : root->strength, root->key, NULL, 0};
    reach->holder = (uint32_t)(reach->graph->nodes + i);
    reach_edge(reach, &edge);
  }
}

static bool reach_answer(const struct reach *reach, midden_error *error) {
  if (!reach->refused) return true;
  mdn_error(error, MIDDEN_NO_MEMORY, "the system refused memory for the graph of %zu objects", reach->graph->nodes);
  return false;
}

bool mdn_reach_from(struct reach *reach, size_t first, size_t end, midden_error *error) {
  reach_roots(reach, first, end, false);
  drain_queue(reach);
  return reach_answer(reach, error);
}

bool mdn_reach_finalizers(struct reach *reach, midden_error *error) {
  const struct graph *graph = reach->graph;
  for (size_t i = graph->weak_roots; i < graph->roots.count; i++) {
    if (graph_root_at(graph, i)->strength == EDGE_FINALIZER) reach_roots(reach, i, i + 1, true);
  }
  drain_queue(reach);
  return reach_answer(reach, error);
}

/* Everything once more, with the weak edges. */
bool mdn_reach_weakly(struct reach *reach, midden_error *error) {
  reach->weakly = true;
  reach->next = 0;
  reach_roots(reach, 0, reach->graph->roots.count, true);
  drain_queue(reach);
  return reach_answer(reach, error);
}
