/* Which finalizers come first: the strongly connected components of what unreachable objects with finalizers reach
 * (Tarjan 1972, without recursion). A component that nothing leads into comes first; one with several such objects is a
 * cycle. It reads objects only: nothing is marked or copied, so it works before any of them is decided on. */
#include <string.h>

#include "gc/core.h"
#include "gc/layout.h"

#define ORDER_NONE UINT32_MAX

/* An object. Edges of a node lie together. */
struct order_node {
  uintptr_t cell;
  uint32_t next;              /* in its bucket */
  uint32_t first_edge, edges, /* of `edges`, how many there are */
      edge;                   /* and how many were followed */
  uint32_t index, low;        /* Tarjan's; index 0: not reached yet */
  uint32_t component;         /* 0: none yet */
  bool finalized;             /* it has a registration */
};

struct order_component {
  bool entered;      /* another one leads into it */
  uint32_t members;  /* objects with registrations */
  uint64_t oldest;   /* the least number of a registration */
  uintptr_t cell;    /* and its object */
};

struct order {
  midden_visitor visitor; /* first: what objects are read through */
  struct core *core;
  bool all, failed;
  struct table nodes, edges, buckets, components;
  struct table stack, path; /* of node numbers: Tarjan's stack, and the path to where it is */
  uint32_t last_index;
};

static struct order_node *order_node(const struct order *order, uint32_t number) {
  return &((struct order_node *)order->nodes.items)[number];
}

static struct order_component *order_component(const struct order *order, uint32_t number) {
  return &((struct order_component *)order->components.items)[number];
}

static bool order_push(struct order *order, struct table *table, uint32_t number) {
  if (!table_grow(table, order->core->space.memory, table->count + 1, sizeof number)) {
    order->failed = true;
    return false;
  }
  ((uint32_t *)table->items)[table->count++] = number;
  return true;
}

static uint32_t order_pop(struct table *table) { return ((uint32_t *)table->items)[--table->count]; }

static uintptr_t order_cell(const struct order *order, const struct finalizer *registration) {
  return weak_cell(&order->core->form, &order->core->space, registration->object);
}

/* ---- the graph ---- */

static uint32_t *order_bucket(const struct order *order, uintptr_t cell) {
  size_t hash = (size_t)((cell >> 3) * UINT64_C(0x9e3779b97f4a7c15) >> 24);
  return &((uint32_t *)order->buckets.items)[hash & (order->buckets.count - 1)];
}

static void order_link(struct order *order, uint32_t number) {
  uint32_t *bucket = order_bucket(order, order_node(order, number)->cell);
  order_node(order, number)->next = *bucket;
  *bucket = number;
}

/* Room for one more node, and for its place in the hash table. */
static bool order_room(struct order *order) {
  const midden_memory *memory = order->core->space.memory;
  size_t count = order->nodes.count, buckets = order->buckets.count ? 2 * order->buckets.count : 1024;
  if (count >= ORDER_NONE || !table_grow(&order->nodes, memory, count + 1, sizeof(struct order_node))) return false;
  if (count < order->buckets.count) return true;
  if (!table_grow(&order->buckets, memory, buckets, sizeof(uint32_t))) return false;
  order->buckets.count = buckets;
  memset(order->buckets.items, 0xff, buckets * sizeof(uint32_t));
  for (uint32_t i = 0; i < count; i++) order_link(order, i);
  return true;
}

/* The node of a cell, made if there is none. post: ORDER_NONE if memory was refused. */
static uint32_t order_node_of(struct order *order, uintptr_t cell) {
  if (order->buckets.count) {
    for (uint32_t i = *order_bucket(order, cell); i != ORDER_NONE; i = order_node(order, i)->next) {
      if (order_node(order, i)->cell == cell) return i;
    }
  }
  if (!order_room(order)) {
    order->failed = true;
    return ORDER_NONE;
  }
  uint32_t number = (uint32_t)order->nodes.count++;
  *order_node(order, number) = (struct order_node){.cell = cell};
  order_link(order, number);
  return number;
}

static void order_edge_to(struct order *order, uintptr_t cell) {
  if (!cell || order->failed || (!order->all && weak_live(&order->core->space, cell))) return;
  uint32_t number = order_node_of(order, cell);
  if (number != ORDER_NONE) order_push(order, &order->edges, number);
}

static void order_slot(void *context, midden_word *slot) {
  struct order *order = context;
  order_edge_to(order, weak_cell(&order->core->form, &order->core->space, *slot));
}

static void order_edge(midden_visitor *visitor, midden_word *slot) { order_slot(visitor, slot); }
static void order_range(midden_visitor *visitor, midden_word *first, size_t count) {
  for (size_t i = 0; i < count; i++) order_slot(visitor, first + i);
}
static void order_pinned(midden_visitor *visitor, uintptr_t word) { order_slot(visitor, &(midden_word){word}); }
static void order_ambiguous(midden_visitor *visitor, const midden_word *first, size_t count) {
  struct order *order = (struct order *)visitor;
  for (size_t i = 0; i < count; i++) order_edge_to(order, mdn_space_cell_at(&order->core->space, first[i]));
}
static void order_weak(midden_visitor *visitor, midden_word *slot, midden_word *companion, midden_weak strength) {
  (void)visitor, (void)slot, (void)companion, (void)strength;
}
static void order_ephemeron(midden_visitor *visitor, midden_word *key, midden_word *value) {
  (void)key;
  order_slot(visitor, value);
}

/* Reads all objects that those with registrations reach. Nodes are added at the end while it goes on. */
static void order_read(struct order *order) {
  const struct core *core = order->core;
  for (uint32_t i = 0; i < order->nodes.count && !order->failed; i++) {
    uintptr_t cell = order_node(order, i)->cell;
    uint64_t entry = space_page_entry(&core->space, cell);
    uint32_t first = (uint32_t)order->edges.count;
    if (!(entry & PAGE_LEAF)) {
      layout_each(&core->kinds.kinds[entry & 0xffff], cell, core_cell_size(core, entry), order_slot, order,
                  &order->visitor);
    }
    order->failed |= order->edges.count >= ORDER_NONE;
    order_node(order, i)->first_edge = first;
    order_node(order, i)->edges = (uint32_t)order->edges.count - first;
  }
}

/* ---- components ---- */

static void order_enter(struct order *order, uint32_t number) {
  struct order_node *node = order_node(order, number);
  node->index = node->low = ++order->last_index;
  order_push(order, &order->stack, number);
  order_push(order, &order->path, number);
}

/* The nodes on the stack down to this one are a component. */
static void order_close_component(struct order *order, uint32_t number) {
  struct table *components = &order->components;
  if (!table_grow(components, order->core->space.memory, components->count + 1, sizeof(struct order_component))) {
    order->failed = true;
    return;
  }
  uint32_t component = (uint32_t)components->count++, member;
  *order_component(order, component) = (struct order_component){.oldest = UINT64_MAX};
  do {
    member = order_pop(&order->stack);
    order_node(order, member)->component = component;
  } while (member != number);
}

static void order_connect(struct order *order, uint32_t root) {
  order_enter(order, root);
  while (order->path.count && !order->failed) {
    uint32_t number = ((uint32_t *)order->path.items)[order->path.count - 1];
    struct order_node *node = order_node(order, number);
    if (node->edge < node->edges) {
      uint32_t to = ((uint32_t *)order->edges.items)[node->first_edge + node->edge++];
      const struct order_node *target = order_node(order, to);
      if (target->index == 0) order_enter(order, to);
      else if (target->component == 0 && target->index < node->low) node->low = target->index;
      continue;
    }
    order_pop(&order->path);
    if (node->low == node->index) order_close_component(order, number);
    if (order->path.count == 0) continue;
    struct order_node *before = order_node(order, ((uint32_t *)order->path.items)[order->path.count - 1]);
    if (node->low < before->low) before->low = node->low;
  }
}

static void order_enter_components(struct order *order) {
  for (uint32_t i = 0; i < order->nodes.count; i++) {
    const struct order_node *node = order_node(order, i);
    for (uint32_t k = 0; k < node->edges; k++) {
      uint32_t to = order_node(order, ((uint32_t *)order->edges.items)[node->first_edge + k])->component;
      if (to != node->component) order_component(order, to)->entered = true;
    }
  }
}

/* ---- the answer ---- */

static void order_count(struct order *order, struct finalizer *const *registrations, size_t count) {
  for (size_t i = 0; i < count; i++) {
    struct order_node *node = order_node(order, order_node_of(order, order_cell(order, registrations[i])));
    struct order_component *component = order_component(order, node->component);
    component->members += !node->finalized;
    node->finalized = true;
    if (registrations[i]->number >= component->oldest) continue;
    component->oldest = registrations[i]->number;
    component->cell = node->cell;
  }
}

static size_t order_answer(struct order *order, struct finalizer *const *registrations, size_t count) {
  size_t cycles = 0;
  order_enter_components(order);
  order_count(order, registrations, count);
  for (size_t i = 0; i < count; i++) {
    struct finalizer *registration = registrations[i];
    uintptr_t cell = order_cell(order, registration);
    registration->component = order_node(order, order_node_of(order, cell))->component;
    const struct order_component *component = order_component(order, registration->component);
    registration->ready = !component->entered && cell == component->cell;
    cycles += registration->number == component->oldest && !component->entered && component->members > 1;
  }
  return cycles;
}

static void order_release(struct order *order) {
  struct table *tables[] = {&order->nodes, &order->edges, &order->buckets, &order->components, &order->stack, &order->path};
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) mdn_table_close(tables[i], order->core->space.memory);
}

size_t mdn_finalizers_order(struct core *core, struct finalizer *const *registrations, size_t count, bool all) {
  struct order order = {
      .visitor = {order_edge, order_pinned, order_range, order_ambiguous, order_weak, order_ephemeron},
      .core = core,
      .all = all,
  };
  order.failed = !table_grow(&order.components, core->space.memory, 1, sizeof(struct order_component));
  if (!order.failed) *order_component(&order, order.components.count++) = (struct order_component){false, 0, 0, 0};
  for (size_t i = 0; i < count && !order.failed; i++) order_node_of(&order, order_cell(&order, registrations[i]));
  if (!order.failed) order_read(&order);
  for (uint32_t i = 0; i < order.nodes.count && !order.failed; i++) {
    if (order_node(&order, i)->index == 0) order_connect(&order, i);
  }
  size_t cycles = order.failed ? SIZE_MAX : order_answer(&order, registrations, count);
  order_release(&order);
  return cycles;
}
