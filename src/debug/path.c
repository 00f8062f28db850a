/* Paths: see path.h. */
#include "debug/path.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "debug/names.h"

static uint32_t path_step(const struct path *path, size_t index) { return ((const uint32_t *)path->steps.items)[index]; }

bool mdn_path_find(const struct reach *reach, uint32_t node, struct path *path, midden_error *error) {
  const struct graph *graph = reach->graph;
  *path = (struct path){{NULL, 0, 0}};
  for (uint32_t at = node;; at = reach_parent(reach, at)) {
    if (!table_grow(&path->steps, graph->memory, path->steps.count + 1, sizeof at)) {
      mdn_table_close(&path->steps, graph->memory);
      mdn_error(error, MIDDEN_NO_MEMORY, "the system refused memory for a path");
      return false;
    }
    ((uint32_t *)path->steps.items)[path->steps.count++] = at;
    if (at >= graph->nodes) return true;
  }
}

const struct graph_root *mdn_path_root(const struct reach *reach, const struct path *path) {
  return graph_root_at(reach->graph, path_step(path, path->steps.count - 1) - reach->graph->nodes);
}

/* Looks for the best edge to an object. */
struct edge_search {
  uint32_t to;
  bool found;
  struct graph_edge best;
};

static void better_edge(void *context, const struct graph_edge *edge) {
  struct edge_search *search = context;
  if (edge->to != search->to || (search->found && search->best.strength <= edge->strength)) return;
  search->found = true;
  search->best = *edge;
}

bool mdn_path_edge(const struct reach *reach, const struct path *path, size_t index, struct graph_edge *edge) {
  struct edge_search search = {.to = path_step(path, index)};
  mdn_graph_visit(reach->graph, path_step(path, index + 1), better_edge, &search);
  if (search.found) *edge = search.best;
  return search.found;
}

const char *mdn_edge_remark(enum edge_strength strength) {
  static const char *const remarks[] = {
      [EDGE_PINNED] = " (pinned)", [EDGE_AMBIGUOUS] = " (an ambiguous word)", [EDGE_VALUE] = " (value of an ephemeron)",
      [EDGE_KEY] = " (key of an ephemeron: does not hold)", [EDGE_WEAK] = " (weak: does not hold)"};
  return strength < sizeof remarks / sizeof *remarks && remarks[strength] ? remarks[strength] : "";
}

/* ---- in one line ---- */

#define LINE_STEPS 8 /* longer paths are cut in the middle */

struct path_line {
  char *text;
  size_t capacity, length;
};

__attribute__((format(printf, 2, 3))) static void line_add(struct path_line *line, const char *format, ...) {
  if (line->length + 1 >= line->capacity) return;
  va_list arguments;
  va_start(arguments, format);
  int more = vsnprintf(line->text + line->length, line->capacity - line->length, format, arguments);
  va_end(arguments);
  line->length = size_minimum(line->length + (more > 0 ? (size_t)more : 0), line->capacity - 1);
}

static void line_step(struct path_line *line, const struct reach *reach, const struct path *path, size_t index) {
  const struct graph *graph = reach->graph;
  struct graph_edge edge;
  struct slot_name name = {.text = ""};
  bool from_root = index + 2 == path->steps.count;
  if (!from_root && mdn_path_edge(reach, path, index, &edge)) mdn_slot_name(graph, &edge, &name);
  uint32_t node = path_step(path, index);
  line_add(line, "%s -> %s %#zx", name.text, graph_kind(graph, node)->name, (size_t)graph_cell(graph, node));
}

void mdn_path_text(const struct reach *reach, const struct path *path, char *text, size_t capacity) {
  char root[256];
  struct path_line line = {text, capacity, 0};
  mdn_root_text(mdn_path_root(reach, path), true, root, sizeof root);
  line_add(&line, "%s", root);
  size_t objects = path->steps.count - 1;
  for (size_t index = objects; index-- > 0;) {
    if (objects > LINE_STEPS && index == objects - LINE_STEPS / 2 - 1) {
      line_add(&line, " -> %zu more", objects - LINE_STEPS);
      index = LINE_STEPS / 2;
      continue;
    }
    line_step(&line, reach, path, index);
  }
}

/* ---- for the verifier ---- */

static void describe_path(const struct reach *reach, uint32_t node, char *text, size_t capacity) {
  struct path path;
  if (!reach_has(reach, node)) {
    snprintf(text, capacity, "no root leads to it: it is dead, or its reference was lost");
  } else if (mdn_path_find(reach, node, &path, NULL)) {
    size_t length = (size_t)snprintf(text, capacity, "it is reached by ");
    mdn_path_text(reach, &path, text + length, capacity - length);
    mdn_table_close(&path.steps, reach->graph->memory);
  }
}

void mdn_path_describe(midden_heap *heap, const struct collection *collection, uintptr_t cell, char *text, size_t capacity) {
  struct graph graph;
  struct reach reach;
  if (!mdn_graph_stacks_covered(&heap->core, collection->stack_pointer)) collection = NULL;
  if (mdn_graph_open(&graph, heap, collection, NULL) != MIDDEN_OK) return;
  if (mdn_reach_open(&reach, &graph, NULL)) {
    uint32_t node = graph_node(&graph, cell);
    bool done = mdn_reach_from(&reach, 0, graph.stack_roots, NULL);
    /* The C stack's come last: they may be those of who has asked. */
    if (done && !reach_has(&reach, node)) done = mdn_reach_from(&reach, graph.stack_roots, graph.weak_roots, NULL);
    if (done) describe_path(&reach, node, text, capacity);
    mdn_reach_close(&reach);
  }
  mdn_graph_close(&graph);
}
