/* The heap as a graph: see graph.h. */
#include "debug/graph.h"

#include <string.h>

#include "gc/ambiguous.h"
#include "gc/layout.h"
#include "roots/registers.h"

bool mdn_graph_table(const struct graph *graph, struct table *table, size_t count, size_t item_size, midden_error *error) {
  if (count == 0 || table_grow(table, graph->memory, count, item_size)) {
    table->count = count;
    return true; /* fresh from the system: zero */
  }
  mdn_error(error, MIDDEN_NO_MEMORY, "the system refused memory for the graph of %zu objects", graph->nodes);
  return false;
}

/* ---- nodes ---- */

/* The cells that start in one word of the alloc bits. A large object has its bit in its first word; the others that cover
 * it are no bits of cells. */
static uint64_t cells_of_word(const struct space *space, size_t word) {
  size_t page = word / WORDS_PER_PAGE;
  uint64_t entry = space->page_map[page];
  if (entry == PAGE_FREE || entry & PAGE_BLOCK) return 0;
  if (!(entry & PAGE_LARGE)) return space->alloc_bits[word];
  return space_entry_span(space, entry)->first_page * (size_t)WORDS_PER_PAGE == word ? space->alloc_bits[word] & 1 : 0;
}

static midden_status count_nodes(struct graph *graph, size_t words, midden_error *error) {
  uint32_t *ranks = graph->ranks.items;
  for (size_t word = 0; word < words; word++) {
    ranks[word] = (uint32_t)graph->nodes;
    graph->nodes += bits_count(cells_of_word(&graph->core->space, word));
    if (graph->nodes < GRAPH_NONE / 2) continue;
    return mdn_error(error, MIDDEN_LIMIT, "the heap has more than 2^31 objects: too many for a graph");
  }
  return MIDDEN_OK;
}

static void list_cells(struct graph *graph, size_t words) {
  const struct space *space = &graph->core->space;
  uintptr_t *next = graph->cells.items;
  for (size_t word = 0; word < words; word++) {
    for (uint64_t bits = cells_of_word(space, word); bits; bits &= bits - 1) {
      const struct span *span = space_entry_span(space, space->page_map[word / WORDS_PER_PAGE]);
      size_t granule = (word << 6) + bits_lowest(bits) - (size_t)span->first_page * GRANULES_PER_PAGE;
      *next++ = span->start + (span_is_large(span) ? 0 : span_cell_offset(span, granule));
    }
  }
}

midden_status mdn_graph_open(struct graph *graph, midden_heap *heap, const struct collection *collection,
                             midden_error *error) {
  *graph = (struct graph){.heap = heap, .core = &heap->core, .memory = &heap->memory};
  size_t words = heap->core.space.pages.frontier * WORDS_PER_PAGE;
  midden_status status = MIDDEN_NO_MEMORY;
  if (mdn_graph_table(graph, &graph->ranks, words, sizeof(uint32_t), error)) {
    status = count_nodes(graph, words, error);
    if (status == MIDDEN_OK && !mdn_graph_table(graph, &graph->cells, graph->nodes, sizeof(uintptr_t), error)) {
      status = MIDDEN_NO_MEMORY;
    }
  }
  if (status == MIDDEN_OK) {
    list_cells(graph, words);
    if (!mdn_graph_find_roots(graph, collection)) {
      status = mdn_error(error, MIDDEN_NO_MEMORY, "the system refused memory for a list of the roots");
    }
  }
  if (status != MIDDEN_OK) mdn_graph_close(graph);
  return status;
}

void mdn_graph_close(struct graph *graph) {
  struct table *tables[] = {&graph->ranks, &graph->cells, &graph->roots};
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) mdn_table_close(tables[i], graph->memory);
}

uint32_t mdn_graph_target(const struct graph *graph, uintptr_t word) {
  const struct space *space = &graph->core->space;
  size_t offset;
  if (!reference_offset(&graph->core->form, false, space->base, space->extent, word, &offset)) return GRAPH_NONE;
  uintptr_t cell = mdn_space_cell_at(space, space->base + offset);
  return cell == space->base + offset ? graph_node(graph, cell) : GRAPH_NONE;
}

/* ---- edges ---- */

/* A visit of one object, or of what one scanner holds. */
struct edge_visit {
  midden_visitor visitor; /* first: what trace functions get leads back here */
  const struct graph *graph;
  graph_edge_function function;
  void *context;
  uint32_t from;
  size_t index;
};

static void tell_edge(struct edge_visit *visit, uint32_t to, enum edge_strength strength, const void *slot, uint32_t key) {
  if (to == GRAPH_NONE) return;
  struct graph_edge edge = {visit->from, to, strength, key, slot, visit->index};
  visit->function(visit->context, &edge);
}

static void edge_slot(void *context, midden_word *slot) {
  struct edge_visit *visit = context;
  tell_edge(visit, mdn_graph_target(visit->graph, *slot), EDGE_STRONG, slot, GRAPH_NONE);
  visit->index++;
}

static void edge_of_slot(midden_visitor *visitor, midden_word *slot) { edge_slot(visitor, slot); }

static void edges_of_range(midden_visitor *visitor, midden_word *first, size_t count) {
  for (size_t i = 0; i < count; i++) edge_slot(visitor, first + i);
}

static void edge_pinned(midden_visitor *visitor, uintptr_t word) {
  struct edge_visit *visit = (struct edge_visit *)visitor;
  tell_edge(visit, mdn_graph_target(visit->graph, word), EDGE_PINNED, NULL, GRAPH_NONE);
  visit->index++;
}

static void edge_weak(midden_visitor *visitor, midden_word *slot, midden_word *companion, midden_weak strength) {
  (void)companion, (void)strength;
  struct edge_visit *visit = (struct edge_visit *)visitor;
  tell_edge(visit, mdn_graph_target(visit->graph, *slot), EDGE_WEAK, slot, GRAPH_NONE);
  visit->index++;
}

static void edges_of_ephemeron(midden_visitor *visitor, midden_word *key, midden_word *value) {
  struct edge_visit *visit = (struct edge_visit *)visitor;
  uint32_t key_node = mdn_graph_target(visit->graph, *key);
  tell_edge(visit, key_node, EDGE_KEY, key, GRAPH_NONE);
  visit->index++;
  tell_edge(visit, mdn_graph_target(visit->graph, *value), EDGE_VALUE, value, key_node);
  visit->index++;
}

static void edges_at(struct edge_visit *visit, uintptr_t address, const midden_word *slot) {
  const struct core *core = visit->graph->core;
  uintptr_t cells[AMBIGUOUS_CELLS];
  if (address - core->space.base > core->space.extent) return;
  unsigned count = ambiguous_cells(&core->space, core->kinds.kinds, address, cells);
  for (unsigned i = 0; i < count; i++) {
    tell_edge(visit, graph_node(visit->graph, cells[i]), EDGE_AMBIGUOUS, slot, GRAPH_NONE);
  }
}

/* Reads stacks, which AddressSanitizer guards in places. */
__attribute__((no_sanitize("address"))) static void edges_ambiguous(midden_visitor *visitor, const midden_word *first,
                                                                    size_t count) {
  struct edge_visit *visit = (struct edge_visit *)visitor;
  const struct reference_form *form = &visit->graph->core->form;
  for (size_t i = 0; i < count; i++) {
    uintptr_t word = first[i], untagged = word & ~form->high_mask;
    edges_at(visit, word, &first[i]);
    if (untagged != word && (word & form->high_mask) == form->high_match) edges_at(visit, untagged, &first[i]);
    visit->index++;
  }
}

static struct edge_visit begin_visit(const struct graph *graph, uint32_t from, graph_edge_function function, void *context) {
  return (struct edge_visit){
      .visitor = {edge_of_slot, edge_pinned, edges_of_range, edges_ambiguous, edge_weak, edges_of_ephemeron},
      .graph = graph,
      .function = function,
      .context = context,
      .from = from,
  };
}

void mdn_graph_visit(const struct graph *graph, uint32_t node, graph_edge_function function, void *context) {
  uint64_t entry = graph_entry(graph, node);
  if (entry & PAGE_LEAF) return;
  struct edge_visit visit = begin_visit(graph, node, function, context);
  layout_each(graph_kind(graph, node), graph_cell(graph, node), core_cell_size(graph->core, entry), edge_slot, &visit,
              &visit.visitor);
}

void mdn_graph_scan(const struct graph *graph, const struct root *root, graph_edge_function function, void *context) {
  struct edge_visit visit = begin_visit(graph, GRAPH_NONE, function, context);
  if (root->type == ROOT_SCANNER) {
    root->scan(&visit.visitor, root->context);
  } else if (root->type == ROOT_PRECISE) {
    edges_of_range(&visit.visitor, (midden_word *)(uintptr_t)root->first, root->count);
  } else {
    edges_ambiguous(&visit.visitor, root->first, root->count);
  }
}

void mdn_graph_words(const struct graph *graph, const midden_word *first, size_t count, graph_edge_function function,
                     void *context) {
  struct edge_visit visit = begin_visit(graph, GRAPH_NONE, function, context);
  edges_ambiguous(&visit.visitor, first, count);
}

/* ---- the whole of a public call ---- */

struct graph_call {
  midden_heap *heap;
  const char *name;
  graph_function function;
  void *context;
  midden_error *error;
  midden_status status;
};

bool mdn_graph_stacks_covered(const struct core *core, const char *stack_pointer) {
  bool scanned = core->conservative && !core->stacks_pin_only;
  for (const struct mutator *mutator = scanned ? core->mutators : NULL; mutator; mutator = mutator->next) {
    if (!mdn_stacks_covers(&mutator->stacks, stack_pointer)) return false;
  }
  return true;
}

static __attribute__((noinline)) void call_with_graph(void *context, const midden_word *registers, size_t count) {
  struct graph_call *call = context;
  midden_heap *heap = call->heap;
  struct collection collection = {&heap->core, __builtin_frame_address(0), registers, count, false};
  if (!mdn_graph_stacks_covered(&heap->core, collection.stack_pointer)) {
    call->status = mdn_error(call->error, MIDDEN_MISUSE, "%s: the running stack is none that the mutator was attached on "
                                                         "or switched to (see midden_stack_switch)", call->name);
    return;
  }
  struct graph graph;
  heap->collecting = true;
  mdn_heap_open_cells(heap);
  call->status = mdn_graph_open(&graph, heap, &collection, call->error);
  if (call->status == MIDDEN_OK) {
    call->status = call->function(&graph, call->context, call->error);
    mdn_graph_close(&graph);
  }
  mdn_heap_close_cells(heap);
  heap->collecting = false;
}

midden_status mdn_graph_with(midden_heap *heap, const char *name, graph_function function, void *context,
                             midden_error *error) {
  if (heap_enter(heap) != MIDDEN_OK) {
    return mdn_error(error, MIDDEN_MISUSE, "%s: not an open heap of this thread, or inside a collection", name);
  }
  mdn_heap_flush(heap);
  struct graph_call call = {heap, name, function, context, error, MIDDEN_OK};
  mdn_registers_call(call_with_graph, &call);
  return call.status;
}
