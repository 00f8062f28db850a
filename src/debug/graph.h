/* The heap's objects as the nodes of a graph, and its edges, without changing anything: objects are numbered in the order of
 * their addresses, by a rank directory over the alloc bits (Jacobson 1989); edges are not stored, but visited again
 * whenever they are needed.
 *
 * Words that refer to no object are no edges, so a graph can be made of a heap with broken references. */
#ifndef MIDDEN_DEBUG_GRAPH_H
#define MIDDEN_DEBUG_GRAPH_H

#include "base/error.h"
#include "base/table.h"
#include "heap/heap.h"

#define GRAPH_NONE UINT32_MAX

/* The first three hold what they lead to. */
enum edge_strength {
  EDGE_STRONG,
  EDGE_PINNED,    /* strong, and the object stays in place */
  EDGE_AMBIGUOUS,
  EDGE_VALUE,     /* of an ephemeron: holds as long as the key is held */
  EDGE_KEY,       /* of an ephemeron: holds nothing */
  EDGE_WEAK,
  EDGE_FINALIZER  /* a root only: a registration, which queues its object when that is unreachable */
};

static inline bool edge_holds(enum edge_strength strength) { return strength <= EDGE_AMBIGUOUS; }

struct graph_edge {
  uint32_t from; /* GRAPH_NONE: a root */
  uint32_t to;
  enum edge_strength strength;
  uint32_t key;  /* EDGE_VALUE: the key's node; GRAPH_NONE if that is no object, and so always there */
  const void *slot; /* its address; NULL: a word without one */
  size_t index;  /* of the slots visited in the object */
};

enum graph_root_type {
  GRAPH_REGISTERED,      /* a slot or range */
  GRAPH_SCANNER,
  GRAPH_FRAME,
  GRAPH_HANDLE,
  GRAPH_PIN,
  GRAPH_QUEUE,           /* of finalizers */
  GRAPH_RANGE_AMBIGUOUS,
  GRAPH_STACK,           /* the running one */
  GRAPH_REGISTER,
  GRAPH_COROUTINE,       /* a stack that is not running, or its registers */
  GRAPH_FINALIZER,       /* a registration */
  GRAPH_WEAK_SLOT,
  GRAPH_ROOT_TYPES
};

/* A root that leads to an object. */
struct graph_root {
  enum graph_root_type type;
  enum edge_strength strength;
  uint32_t node, key;
  const void *where;  /* the slot, the scanner's function, the frame's midden_frame */
  const char *name;   /* the host's, or NULL */
  size_t index;       /* in a range (SIZE_MAX: it is a single slot), of a scanner's slots, of a frame's variables */
};

struct graph {
  midden_heap *heap;
  const struct core *core;
  const midden_memory *memory;
  size_t nodes;
  struct table ranks; /* uint32_t for each word of the alloc bits: the cells before it */
  struct table cells; /* uintptr_t by node */
  struct table roots; /* struct graph_root: those that hold, then the C stack's, then those that do not */
  size_t stack_roots, weak_roots; /* where these begin */
};

/* Numbers the objects and finds the roots. pre: runs are flushed, nothing else uses the heap. `collection`: registers and the C
 * stack; NULL: these are left out. post: MIDDEN_OK; or NO_MEMORY, LIMIT, *error says so, and the graph is closed. */
midden_status mdn_graph_open(struct graph *graph, midden_heap *heap, const struct collection *collection,
                             midden_error *error);
void mdn_graph_close(struct graph *graph);

/* Opens the graph of a heap with its stack, calls the function, and closes it: what public calls are made of. `name` is
 * that call's. post: what the function answers; or MISUSE, NO_MEMORY, LIMIT and *error. */
typedef midden_status (*graph_function)(struct graph *graph, void *context, midden_error *error);
midden_status mdn_graph_with(midden_heap *heap, const char *name, graph_function function, void *context,
                             midden_error *error);

/* Whether the stack that runs is one that each mutator is known to run on: else it cannot be scanned. */
bool mdn_graph_stacks_covered(const struct core *core, const char *stack_pointer);

/* Calls the function for each edge of an object, in the order of its slots. */
typedef void (*graph_edge_function)(void *context, const struct graph_edge *edge);
void mdn_graph_visit(const struct graph *graph, uint32_t node, graph_edge_function function, void *context);

/* Visits what a root scanner visits, as edges from GRAPH_NONE. */
void mdn_graph_scan(const struct graph *graph, const struct root *root, graph_edge_function function, void *context);

/* The same for ambiguous words anywhere. */
void mdn_graph_words(const struct graph *graph, const midden_word *first, size_t count, graph_edge_function function,
                     void *context);

/* Room for a table of `count` items, all zero. post: false, and *error: NO_MEMORY. */
bool mdn_graph_table(const struct graph *graph, struct table *table, size_t count, size_t item_size, midden_error *error);

/* For the roots: adds them to graph->roots. post: false if memory was refused. (graph_roots.c) */
bool mdn_graph_find_roots(struct graph *graph, const struct collection *collection);

static inline uintptr_t graph_cell(const struct graph *graph, uint32_t node) {
  return ((const uintptr_t *)graph->cells.items)[node];
}
static inline uint64_t graph_entry(const struct graph *graph, uint32_t node) {
  return space_page_entry(&graph->core->space, graph_cell(graph, node));
}
static inline const struct kind *graph_kind(const struct graph *graph, uint32_t node) {
  return &graph->core->kinds.kinds[(uint16_t)graph_entry(graph, node)];
}
static inline size_t graph_size(const struct graph *graph, uint32_t node) {
  return core_cell_size(graph->core, graph_entry(graph, node));
}
static inline const struct graph_root *graph_root_at(const struct graph *graph, size_t index) {
  return &((const struct graph_root *)graph->roots.items)[index];
}
/* The node of an allocated cell. */
static inline uint32_t graph_node(const struct graph *graph, uintptr_t cell) {
  size_t granule = space_granule(&graph->core->space, cell);
  uint64_t before = graph->core->space.alloc_bits[granule >> 6] & bits_below(granule);
  return ((const uint32_t *)graph->ranks.items)[granule >> 6] + bits_count(before);
}
/* The node that a word refers to; GRAPH_NONE if it refers to none. */
uint32_t mdn_graph_target(const struct graph *graph, uintptr_t word);

#endif
