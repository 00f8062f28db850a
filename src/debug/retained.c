/* What takes the memory: kinds and single objects, with what they retain. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "debug/dominators.h"
#include "debug/names.h"
#include "debug/output.h"

#define LARGEST_MOST 100

/* Of one kind. */
struct kind_total {
  uint64_t objects, bytes, retained;
  uint64_t above; /* dominators of this kind of the vertex that the walk is at */
};

struct memory_answer {
  struct dominators dominators;
  struct table totals; /* struct kind_total by kind id */
  midden_census_line *lines;
  size_t capacity;
  size_t *count;
  struct output output;
  size_t most;
};

static struct kind_total *total_at(const struct memory_answer *answer, size_t vertex) {
  uint32_t node = dominators_node(&answer->dominators, vertex);
  return &((struct kind_total *)answer->totals.items)[graph_kind(answer->dominators.graph, node)->id];
}

/* ---- kinds ---- */

static void enter_vertex(const struct memory_answer *answer, size_t vertex) {
  struct kind_total *total = total_at(answer, vertex);
  total->objects++;
  total->bytes += graph_size(answer->dominators.graph, dominators_node(&answer->dominators, vertex));
  if (total->above++ == 0) total->retained += dominators_retained(&answer->dominators, vertex);
}

/* Walks the tree of dominators. What an object retains counts for its kind once, where no other object of the kind is above
 * it: so a kind retains at most everything. */
static void walk_tree(const struct memory_answer *answer, const uint32_t *child, const uint32_t *sibling) {
  uint32_t at = 0;
  for (;;) {
    if (child[at]) {
      at = child[at];
      enter_vertex(answer, at);
      continue;
    }
    while (at && !sibling[at]) {
      total_at(answer, at)->above--;
      at = dominators_of(&answer->dominators, at);
    }
    if (!at) return;
    total_at(answer, at)->above--;
    at = sibling[at];
    enter_vertex(answer, at);
  }
}

static bool total_kinds(struct memory_answer *answer, midden_error *error) {
  const struct dominators *dominators = &answer->dominators;
  const struct graph *graph = dominators->graph;
  struct table children = {NULL, 0, 0}, siblings = {NULL, 0, 0};
  bool done = mdn_graph_table(graph, &answer->totals, MIDDEN_KIND_MAX + 1, sizeof(struct kind_total), error) &&
              mdn_graph_table(graph, &children, dominators->count, sizeof(uint32_t), error) &&
              mdn_graph_table(graph, &siblings, dominators->count, sizeof(uint32_t), error);
  if (done) {
    uint32_t *child = children.items, *sibling = siblings.items;
    for (uint32_t vertex = (uint32_t)dominators->count - 1; vertex > 0; vertex--) {
      uint32_t above = dominators_of(dominators, vertex);
      sibling[vertex] = child[above];
      child[above] = vertex;
    }
    walk_tree(answer, child, sibling);
  }
  mdn_table_close(&children, graph->memory);
  mdn_table_close(&siblings, graph->memory);
  return done;
}

static midden_status open_answer(struct memory_answer *answer, struct graph *graph, midden_error *error) {
  answer->totals = (struct table){NULL, 0, 0};
  if (!mdn_dominators_open(&answer->dominators, graph, error)) return MIDDEN_NO_MEMORY;
  if (total_kinds(answer, error)) return MIDDEN_OK;
  mdn_table_close(&answer->totals, graph->memory);
  mdn_dominators_close(&answer->dominators);
  return MIDDEN_NO_MEMORY;
}

static void close_answer(struct memory_answer *answer) {
  mdn_table_close(&answer->totals, answer->dominators.graph->memory);
  mdn_dominators_close(&answer->dominators);
}

/* post: how many kinds have objects; the first `capacity` of them are in `lines`. */
static size_t fill_lines(const struct memory_answer *answer, midden_census_line *lines, size_t capacity) {
  const struct kind_table *kinds = &answer->dominators.graph->core->kinds;
  const struct kind_total *totals = answer->totals.items;
  size_t count = 0;
  for (size_t id = 1; id < kinds->count; id++) {
    if (totals[id].objects == 0) continue;
    if (count < capacity) {
      lines[count] = (midden_census_line){(uint16_t)id, 0, kinds->kinds[id].name, totals[id].objects, totals[id].bytes,
                                          totals[id].retained};
    }
    count++;
  }
  return count;
}

static midden_status answer_retained(struct graph *graph, void *context, midden_error *error) {
  struct memory_answer *answer = context;
  midden_status status = open_answer(answer, graph, error);
  if (status != MIDDEN_OK) return status;
  *answer->count = fill_lines(answer, answer->lines, answer->capacity);
  close_answer(answer);
  return MIDDEN_OK;
}

midden_status midden_retained(midden_heap *heap, midden_census_line *lines, size_t capacity, size_t *count,
                              midden_error *error) {
  if (!count || (capacity > 0 && !lines)) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "midden_retained: a place for the lines and for their number");
  }
  struct memory_answer answer = {.lines = lines, .capacity = capacity, .count = count};
  return mdn_graph_with(heap, "midden_retained", answer_retained, &answer, error);
}

/* ---- the report ---- */

static int by_retained(const void *a, const void *b) {
  const midden_census_line *first = a, *second = b;
  if (first->retained != second->retained) return first->retained < second->retained ? 1 : -1;
  return first->kind_id < second->kind_id ? -1 : 1;
}

static midden_status report_kinds(struct memory_answer *answer, const struct graph *graph, midden_error *error) {
  struct table table = {NULL, 0, 0};
  size_t count = fill_lines(answer, NULL, 0);
  if (!mdn_graph_table(graph, &table, count, sizeof(midden_census_line), error)) return MIDDEN_NO_MEMORY;
  midden_census_line *lines = table.items;
  fill_lines(answer, lines, count);
  if (count) qsort(lines, count, sizeof *lines, by_retained);
  mdn_output_line(&answer->output, "%-32s %12s %14s %14s", "kind", "objects", "bytes", "retained");
  for (size_t i = 0; i < count; i++) {
    mdn_output_line(&answer->output, "%-32.80s %12llu %14llu %14llu", lines[i].name, (unsigned long long)lines[i].objects,
                    (unsigned long long)lines[i].bytes, (unsigned long long)lines[i].retained);
  }
  mdn_table_close(&table, graph->memory);
  return MIDDEN_OK;
}

/* The vertices that retain most, the largest first. */
static size_t find_largest(const struct dominators *dominators, uint32_t *largest, size_t most) {
  size_t count = 0;
  for (uint32_t vertex = 1; vertex < dominators->count; vertex++) {
    uint64_t retained = dominators_retained(dominators, vertex);
    if (count == most && retained <= dominators_retained(dominators, largest[count - 1])) continue;
    size_t place = count < most ? count++ : count - 1;
    for (; place > 0 && dominators_retained(dominators, largest[place - 1]) < retained; place--) {
      largest[place] = largest[place - 1];
    }
    largest[place] = vertex;
  }
  return count;
}

static void report_largest(struct memory_answer *answer) {
  const struct dominators *dominators = &answer->dominators;
  const struct graph *graph = dominators->graph;
  uint32_t largest[LARGEST_MOST];
  size_t count = answer->most ? find_largest(dominators, largest, size_minimum(answer->most, LARGEST_MOST)) : 0;
  if (count) mdn_output_line(&answer->output, "objects that retain most:");
  for (size_t i = 0; i < count; i++) {
    uint32_t node = dominators_node(dominators, largest[i]), above = dominators_of(dominators, largest[i]);
    char retained[24], holder[160] = "roots";
    if (above) {
      uint32_t held_by = dominators_node(dominators, above);
      snprintf(holder, sizeof holder, "%.80s %#zx", graph_kind(graph, held_by)->name, (size_t)graph_cell(graph, held_by));
    }
    mdn_output_line(&answer->output, "%11s  %.80s %#zx (%zu bytes itself), held by %s",
                    mdn_output_bytes_text(dominators_retained(dominators, largest[i]), retained),
                    graph_kind(graph, node)->name, (size_t)graph_cell(graph, node), graph_size(graph, node), holder);
  }
}

static midden_status answer_report(struct graph *graph, void *context, midden_error *error) {
  struct memory_answer *answer = context;
  midden_status status = open_answer(answer, graph, error);
  if (status != MIDDEN_OK) return status;
  mdn_output_line(&answer->output, "midden: the roots reach %zu objects of %llu bytes", answer->dominators.count - 1,
                  (unsigned long long)dominators_retained(&answer->dominators, 0));
  status = report_kinds(answer, graph, error);
  if (status == MIDDEN_OK) report_largest(answer);
  close_answer(answer);
  return status;
}

midden_status midden_memory_report(midden_heap *heap, size_t most, const midden_writer *writer, midden_error *error) {
  struct memory_answer answer = {.most = most};
  mdn_output_open(&answer.output, heap, writer);
  midden_status status = mdn_graph_with(heap, "midden_memory_report", answer_report, &answer, error);
  return status == MIDDEN_OK ? mdn_output_close(&answer.output, "the report", error) : status;
}
