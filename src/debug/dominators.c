/* Dominators: see dominators.h. */
#include "debug/dominators.h"

#include <string.h>

/* The working memory: arrays of uint32_t by vertex, unless said otherwise. */
enum dominator_array {
  EDGES_AT,   /* by node, and one for the roots, and an end: where its edges begin */
  EDGES,      /* by edge: nodes; of an ephemeron: from the key to the value */
  VERTEX_OF,  /* by node; 0: not yet found */
  PARENT,     /* in the search's tree */
  CURSOR,     /* by node, as EDGES_AT: the search's next edge */
  ENTERING_AT, /* where the vertex's predecessors begin */
  ENTERING,   /* by edge: vertices */
  SEMI,
  ANCESTOR,   /* in the forest; NONE: a root of it */
  LABEL,
  BUCKET,     /* the first vertex of which this is the semidominator */
  BUCKET_NEXT,
  PATH,       /* a stack, for compressing */
  DOMINATOR_ARRAYS
};

struct dominator_work {
  const struct graph *graph;
  struct dominators *result;
  struct reach reach;
  struct table tables[DOMINATOR_ARRAYS];
  uint32_t *array[DOMINATOR_ARRAYS]; /* their items */
  midden_error *error;
  uint32_t from; /* of the edges that are being listed */
  bool refused;
};

static bool make_array(struct dominator_work *work, enum dominator_array which, size_t count) {
  if (!mdn_graph_table(work->graph, &work->tables[which], count, sizeof(uint32_t), work->error)) return false;
  work->array[which] = work->tables[which].items;
  return true;
}

static void drop_array(struct dominator_work *work, enum dominator_array which) {
  mdn_table_close(&work->tables[which], work->graph->memory);
}

/* ---- edges, in one list ---- */

static void list_edge(struct dominator_work *work, uint32_t to) {
  struct table *edges = &work->tables[EDGES];
  work->refused = work->refused || edges->count >= GRAPH_NONE ||
                  !table_grow(edges, work->graph->memory, edges->count + 1, sizeof to);
  if (!work->refused) ((uint32_t *)edges->items)[edges->count++] = to;
}

static void list_holding_edge(void *context, const struct graph_edge *edge) {
  bool constant_key = edge->strength == EDGE_VALUE && edge->key == GRAPH_NONE;
  if (edge_holds(edge->strength) || constant_key) list_edge(context, edge->to);
}

static void list_roots(struct dominator_work *work) {
  for (size_t i = 0; i < work->graph->weak_roots; i++) {
    const struct graph_root *root = graph_root_at(work->graph, i);
    bool constant_key = root->strength == EDGE_VALUE && root->key == GRAPH_NONE;
    if (edge_holds(root->strength) || constant_key) list_edge(work, root->node);
  }
}

/* A value whose key is held by another object than its table is held by the key. */
static bool list_edges(struct dominator_work *work) {
  const struct graph *graph = work->graph;
  if (!make_array(work, EDGES_AT, graph->nodes + 2)) return false;
  for (uint32_t node = 0; node < graph->nodes && !work->refused; node++) {
    work->array[EDGES_AT][node] = (uint32_t)work->tables[EDGES].count;
    if (!reach_has(&work->reach, node)) continue;
    mdn_graph_visit(graph, node, list_holding_edge, work);
    for (uint32_t i = reach_ephemerons_of(&work->reach, node); i != GRAPH_NONE; i = reach_ephemeron_at(&work->reach, i)->next) {
      list_edge(work, reach_ephemeron_at(&work->reach, i)->value);
    }
  }
  work->array[EDGES_AT][graph->nodes] = (uint32_t)work->tables[EDGES].count;
  list_roots(work);
  work->array[EDGES_AT][graph->nodes + 1] = (uint32_t)work->tables[EDGES].count;
  work->array[EDGES] = work->tables[EDGES].items;
  if (work->refused) mdn_error(work->error, MIDDEN_NO_MEMORY, "the system refused memory for the edges of the graph");
  return !work->refused;
}

/* ---- the search ---- */

static void number_vertices(struct dominator_work *work) {
  uint32_t *nodes = work->result->nodes.items, *vertex_of = work->array[VERTEX_OF], *parent = work->array[PARENT];
  uint32_t *cursor = work->array[CURSOR], vertex = 0, last = 0;
  const uint32_t *edges_at = work->array[EDGES_AT], *edges = work->array[EDGES];
  memcpy(cursor, edges_at, (work->graph->nodes + 1) * sizeof *cursor);
  nodes[0] = (uint32_t)work->graph->nodes; /* the roots' place in the list of edges */
  for (;;) {
    uint32_t node = nodes[vertex];
    if (cursor[node] == edges_at[node + 1]) {
      if (vertex == 0) break;
      vertex = parent[vertex];
      continue;
    }
    uint32_t to = edges[cursor[node]++];
    if (vertex_of[to]) continue;
    vertex_of[to] = ++last;
    nodes[last] = to;
    parent[last] = vertex;
    vertex = last;
  }
  work->result->count = (size_t)last + 1;
}

/* The edges the other way round, between vertices. */
static void list_entering(struct dominator_work *work) {
  const uint32_t *nodes = work->result->nodes.items, *edges_at = work->array[EDGES_AT], *edges = work->array[EDGES];
  uint32_t *at = work->array[ENTERING_AT];
  size_t count = work->result->count;
  for (size_t vertex = 0; vertex < count; vertex++) {
    for (uint32_t i = edges_at[nodes[vertex]]; i < edges_at[nodes[vertex] + 1]; i++) at[work->array[VERTEX_OF][edges[i]] + 1]++;
  }
  for (size_t vertex = 0; vertex < count; vertex++) at[vertex + 1] += at[vertex];
  for (size_t vertex = 0; vertex < count; vertex++) {
    for (uint32_t i = edges_at[nodes[vertex]]; i < edges_at[nodes[vertex] + 1]; i++) {
      /* Filled from the end of each part, which moves its beginning to where it should be. */
      work->array[ENTERING][--at[work->array[VERTEX_OF][edges[i]] + 1]] = (uint32_t)vertex;
    }
  }
}

/* ---- Lengauer and Tarjan ---- */

/* The vertex with the least semidominator on the way from a vertex up to the root of its tree in the forest. */
static uint32_t evaluate(struct dominator_work *work, uint32_t vertex) {
  uint32_t *ancestor = work->array[ANCESTOR], *label = work->array[LABEL], *path = work->array[PATH];
  const uint32_t *semi = work->array[SEMI];
  if (ancestor[vertex] == GRAPH_NONE) return label[vertex];
  size_t depth = 0;
  for (uint32_t at = vertex; ancestor[ancestor[at]] != GRAPH_NONE; at = ancestor[at]) path[depth++] = at;
  while (depth > 0) {
    uint32_t at = path[--depth], above = ancestor[at];
    if (semi[label[above]] < semi[label[at]]) label[at] = label[above];
    ancestor[at] = ancestor[above];
  }
  return label[vertex];
}

static void empty_bucket(struct dominator_work *work, uint32_t of) {
  const uint32_t *semi = work->array[SEMI], *next = work->array[BUCKET_NEXT];
  uint32_t *dominator = work->result->dominator.items;
  for (uint32_t vertex = work->array[BUCKET][of]; vertex != GRAPH_NONE; vertex = next[vertex]) {
    uint32_t least = evaluate(work, vertex);
    dominator[vertex] = semi[least] < semi[vertex] ? least : of;
  }
  work->array[BUCKET][of] = GRAPH_NONE;
}

static void find_semidominator(struct dominator_work *work, uint32_t vertex) {
  uint32_t *semi = work->array[SEMI];
  /* The part of a vertex ends where that of the next begins: see list_entering. */
  const uint32_t *at = work->array[ENTERING_AT] + 1;
  uint32_t end = vertex + 1 < work->result->count ? at[vertex + 1] : (uint32_t)work->tables[ENTERING].count;
  for (uint32_t i = at[vertex]; i < end; i++) {
    uint32_t least = evaluate(work, work->array[ENTERING][i]);
    if (semi[least] < semi[vertex]) semi[vertex] = semi[least];
  }
}

static void find_dominators(struct dominator_work *work) {
  size_t count = work->result->count;
  uint32_t *semi = work->array[SEMI], *dominator = work->result->dominator.items;
  const uint32_t *parent = work->array[PARENT];
  for (size_t vertex = 0; vertex < count; vertex++) {
    semi[vertex] = work->array[LABEL][vertex] = (uint32_t)vertex;
    work->array[ANCESTOR][vertex] = work->array[BUCKET][vertex] = GRAPH_NONE;
  }
  for (uint32_t vertex = (uint32_t)count - 1; vertex > 0; vertex--) {
    find_semidominator(work, vertex);
    work->array[BUCKET_NEXT][vertex] = work->array[BUCKET][semi[vertex]];
    work->array[BUCKET][semi[vertex]] = vertex;
    work->array[ANCESTOR][vertex] = parent[vertex];
    empty_bucket(work, parent[vertex]);
  }
  for (size_t vertex = 1; vertex < count; vertex++) {
    if (dominator[vertex] != semi[vertex]) dominator[vertex] = dominator[dominator[vertex]];
  }
}

static void sum_retained(struct dominators *result) {
  uint64_t *retained = result->retained.items;
  for (size_t vertex = result->count; vertex-- > 1;) {
    retained[vertex] += graph_size(result->graph, dominators_node(result, vertex));
    retained[dominators_of(result, vertex)] += retained[vertex];
  }
}

/* ---- the whole ---- */

static bool make_results(struct dominator_work *work, size_t count) {
  struct dominators *result = work->result;
  return mdn_graph_table(work->graph, &result->nodes, count, sizeof(uint32_t), work->error) &&
         mdn_graph_table(work->graph, &result->dominator, count, sizeof(uint32_t), work->error) &&
         mdn_graph_table(work->graph, &result->retained, count, sizeof(uint64_t), work->error);
}

static bool find_all(struct dominator_work *work) {
  size_t count = work->reach.queue.count + 1;
  if (!list_edges(work) || !make_results(work, count) || !make_array(work, VERTEX_OF, work->graph->nodes + 1) ||
      !make_array(work, PARENT, count) || !make_array(work, CURSOR, work->graph->nodes + 1)) {
    return false;
  }
  number_vertices(work);
  drop_array(work, CURSOR);
  if (!make_array(work, ENTERING_AT, count + 1) || !make_array(work, ENTERING, work->tables[EDGES].count)) return false;
  list_entering(work);
  static const enum dominator_array done[] = {EDGES_AT, EDGES, VERTEX_OF};
  for (size_t i = 0; i < sizeof done / sizeof *done; i++) drop_array(work, done[i]);
  for (enum dominator_array which = SEMI; which < DOMINATOR_ARRAYS; which++) {
    if (!make_array(work, which, count)) return false;
  }
  find_dominators(work);
  sum_retained(work->result);
  return true;
}

bool mdn_dominators_open(struct dominators *dominators, const struct graph *graph, midden_error *error) {
  *dominators = (struct dominators){.graph = graph};
  struct dominator_work work = {.graph = graph, .result = dominators, .error = error};
  if (!mdn_reach_open(&work.reach, graph, error)) return false;
  bool done = mdn_reach_from(&work.reach, 0, graph->weak_roots, error) && find_all(&work);
  mdn_reach_close(&work.reach);
  for (enum dominator_array which = 0; which < DOMINATOR_ARRAYS; which++) drop_array(&work, which);
  if (!done) mdn_dominators_close(dominators);
  return done;
}

void mdn_dominators_close(struct dominators *dominators) {
  struct table *tables[] = {&dominators->nodes, &dominators->dominator, &dominators->retained};
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) mdn_table_close(tables[i], dominators->graph->memory);
}
