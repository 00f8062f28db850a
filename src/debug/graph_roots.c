/* The roots of a graph, each with what is known of it: see graph.h. */
#include "debug/graph.h"

/* What the roots that are being visited have in common. */
struct root_search {
  midden_visitor visitor; /* for stacks; first, so that it leads back here */
  struct graph *graph;
  const struct collection *collection;
  const struct stacks *stacks;
  enum graph_root_type type;
  const char *name;
  const void *where; /* NULL: the slot's address */
  bool single;
  bool refused;
};

static void add_found(struct root_search *search, struct graph_root root) {
  struct table *roots = &search->graph->roots;
  if (search->refused || root.node == GRAPH_NONE) return;
  search->refused = !table_grow(roots, search->graph->memory, roots->count + 1, sizeof root);
  if (!search->refused) ((struct graph_root *)roots->items)[roots->count++] = root;
}

static void root_found(void *context, const struct graph_edge *edge) {
  struct root_search *search = context;
  add_found(search, (struct graph_root){search->type, edge->strength, edge->to, edge->key,
                                        search->where ? search->where : edge->slot, search->name,
                                        search->single ? SIZE_MAX : edge->index});
}

static void find_registered(struct root_search *search) {
  const struct root_registry *registry = &search->graph->core->registry;
  static const enum graph_root_type types[] = {GRAPH_REGISTERED, GRAPH_RANGE_AMBIGUOUS, GRAPH_SCANNER};
  for (size_t i = 0; i < registry->count; i++) {
    const struct root *root = &registry->roots[i];
    search->type = types[root->type];
    search->name = root->name;
    search->where = root->type == ROOT_SCANNER ? (const void *)(uintptr_t)root->scan : root->first;
    search->single = root->type != ROOT_SCANNER && root->count == 1;
    mdn_graph_scan(search->graph, root, root_found, search);
  }
  search->single = false;
}

/* A slot or word of the library's own or the host's. */
static void found_word(struct root_search *search, enum graph_root_type type, enum edge_strength strength, uintptr_t word,
                       const void *where, size_t index) {
  add_found(search, (struct graph_root){type, strength, mdn_graph_target(search->graph, word), GRAPH_NONE, where, NULL, index});
}

static void find_frames(struct root_search *search, const struct midden_frame *frame) {
  for (; frame; frame = frame->previous) {
    for (size_t i = 0; i < frame->place->count; i++) {
      found_word(search, GRAPH_FRAME, EDGE_STRONG, *(const midden_word *)frame->slots[i], frame, i);
    }
  }
}

static void find_of_mutator(struct root_search *search, const struct mutator *mutator) {
  find_frames(search, mutator->face.frames);
  find_frames(search, mutator->stacks.attached.frames);
  for (const struct midden_stack *stack = mutator->stacks.coroutines; stack; stack = stack->next) {
    find_frames(search, stack->frames);
  }
  for (const struct handle_block *block = mutator->handles.newest; block; block = block->previous) {
    for (size_t i = 0; i < block->used; i++) {
      found_word(search, GRAPH_HANDLE, EDGE_STRONG, block->slots[i], &block->slots[i], i);
    }
  }
}

static void find_pins(struct root_search *search) {
  const struct core *core = search->graph->core;
  for (size_t i = 0; i < core->pins.capacity; i++) {
    uintptr_t cell = core->pins.entries[i].address;
    if (cell) found_word(search, GRAPH_PIN, EDGE_PINNED, weak_word_of(&core->form, cell), NULL, 0);
  }
}

static void find_finalizers(struct root_search *search, const struct finalizer *first, enum graph_root_type type) {
  enum edge_strength strength = type == GRAPH_QUEUE ? EDGE_STRONG : EDGE_FINALIZER;
  for (const struct finalizer *at = first; at; at = at->next) found_word(search, type, strength, at->object, NULL, 0);
}

static void find_weak_slots(struct root_search *search) {
  const struct weak_slots *slots = &search->graph->core->weak.registered;
  for (size_t i = 0; i < slots->capacity; i++) {
    const midden_word *slot = slots->entries[i].slot;
    if (slot) found_word(search, GRAPH_WEAK_SLOT, EDGE_WEAK, *slot, slot, 0);
  }
}

/* ---- the C stack ---- */

static bool lies_in(const void *address, const void *low, const void *high) {
  return (uintptr_t)address - (uintptr_t)low < (uintptr_t)high - (uintptr_t)low;
}

/* Whose words these are: a stack is visited with several calls. */
static enum graph_root_type type_of_words(const struct root_search *search, const midden_word *first) {
  const struct stacks *stacks = search->stacks;
  if (first == search->collection->registers) return GRAPH_REGISTER;
  for (const struct midden_stack *stack = stacks->coroutines; stack; stack = stack->next) {
    if (stack == stacks->running) continue;
    if (first == stack->registers || lies_in(first, stack->low, stack->high)) return GRAPH_COROUTINE;
  }
  bool left = stacks->running && (first == stacks->attached.registers || (const char *)first == stacks->attached.left_at);
  return left ? GRAPH_COROUTINE : GRAPH_STACK;
}

static void find_on_stack(midden_visitor *visitor, const midden_word *first, size_t count) {
  struct root_search *search = (struct root_search *)visitor;
  search->type = type_of_words(search, first);
  mdn_graph_words(search->graph, first, count, root_found, search);
}

static void find_on_stacks(struct root_search *search) {
  const struct collection *collection = search->collection;
  search->visitor.ambiguous = find_on_stack;
  search->name = NULL;
  search->where = NULL;
  for (const struct mutator *mutator = search->graph->core->mutators; mutator; mutator = mutator->next) {
    search->stacks = &mutator->stacks;
    mdn_stacks_visit(&mutator->stacks, collection->stack_pointer, collection->registers, collection->register_count,
                     &search->visitor);
  }
}

bool mdn_graph_find_roots(struct graph *graph, const struct collection *collection) {
  const struct core *core = graph->core;
  struct root_search search = {.graph = graph, .collection = collection};
  find_registered(&search);
  for (const struct mutator *mutator = core->mutators; mutator; mutator = mutator->next) find_of_mutator(&search, mutator);
  find_pins(&search);
  find_finalizers(&search, core->finalizers.queue, GRAPH_QUEUE);
  graph->stack_roots = graph->roots.count;
  if (core->conservative && !core->stacks_pin_only && collection) find_on_stacks(&search);
  graph->weak_roots = graph->roots.count;
  find_finalizers(&search, core->finalizers.young.first, GRAPH_FINALIZER);
  find_finalizers(&search, core->finalizers.old.first, GRAPH_FINALIZER);
  find_weak_slots(&search);
  return !search.refused;
}
