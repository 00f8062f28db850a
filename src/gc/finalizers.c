/* Finalizers: see finalizers.h. */
#include "gc/finalizers.h"

#include "base/assertion.h"
#include "gc/core.h"

/* ---- lists ---- */

#define FINALIZERS_PER_BLOCK 50 /* 2 KiB */

static void push_finalizer(struct finalizer_list *list, struct finalizer *finalizer) {
  finalizer->next = list->first;
  list->first = finalizer;
}

static struct finalizer *pop_finalizer(struct finalizer_list *list) {
  struct finalizer *finalizer = list->first;
  if (finalizer) list->first = finalizer->next;
  return finalizer;
}

struct finalizer *mdn_finalizer_take(struct finalizers *finalizers, struct arena *arena) {
  if (!finalizers->unused.first) {
    struct finalizer *block = mdn_arena_allocate(arena, FINALIZERS_PER_BLOCK * sizeof *block);
    if (!block) return NULL;
    for (size_t i = 0; i < FINALIZERS_PER_BLOCK; i++) push_finalizer(&finalizers->unused, &block[i]);
  }
  return pop_finalizer(&finalizers->unused);
}

void mdn_finalizer_give(struct finalizers *finalizers, struct finalizer *finalizer) {
  push_finalizer(&finalizers->unused, finalizer);
}

void mdn_finalizer_register(struct finalizers *finalizers, struct finalizer *finalizer) {
  finalizer->number = ++finalizers->numbers;
  finalizers->registered++;
  push_finalizer(&finalizers->young, finalizer);
}

static void enqueue(struct core *core, struct finalizer *finalizer) {
  struct finalizers *finalizers = &core->finalizers;
  finalizer->next = NULL;
  if (finalizers->queue) {
    finalizers->queue_last->next = finalizer;
  } else {
    finalizers->queue = finalizer;
  }
  finalizers->queue_last = finalizer;
  finalizers->waiting++;
  finalizers->registered--;
  core->figures.finalizers_queued++;
}

struct finalizer *mdn_finalizers_dequeue(struct finalizers *finalizers) {
  struct finalizer *finalizer = finalizers->queue;
  if (!finalizer) return NULL;
  finalizers->queue = finalizer->next;
  finalizers->waiting--;
  return finalizer;
}

/* The link to the newest matching registration of a list; NULL if there is none. */
static struct finalizer **find_finalizer(struct finalizer_list *list, uintptr_t object,
                                         midden_finalizer_function function, const void *context) {
  struct finalizer **found = NULL;
  for (struct finalizer **link = &list->first; *link; link = &(*link)->next) {
    const struct finalizer *at = *link;
    if (at->object != object || at->function != function || at->context != context) continue;
    if (!found || at->number > (*found)->number) found = link;
  }
  return found;
}

midden_status mdn_finalizer_remove(struct finalizers *finalizers, uintptr_t object, midden_finalizer_function function,
                                   const void *context) {
  /* What is in the young list is newer than all of the old one. */
  struct finalizer **link = find_finalizer(&finalizers->young, object, function, context);
  if (!link) link = find_finalizer(&finalizers->old, object, function, context);
  if (!link) return MIDDEN_BAD_ARGUMENT;
  struct finalizer *removed = *link;
  *link = removed->next;
  finalizers->registered--;
  push_finalizer(&finalizers->unused, removed);
  return MIDDEN_OK;
}

void mdn_finalizers_visit_queue(const struct finalizers *finalizers, midden_visitor *visitor) {
  for (struct finalizer *at = finalizers->queue; at; at = at->next) visitor->edge(visitor, &at->object);
}

void mdn_finalizers_visit_registered(const struct finalizers *finalizers, midden_visitor *visitor) {
  for (struct finalizer *at = finalizers->young.first; at; at = at->next) visitor->edge(visitor, &at->object);
  for (struct finalizer *at = finalizers->old.first; at; at = at->next) visitor->edge(visitor, &at->object);
}

/* ---- at the end of tracing ---- */

/* What the registrations of a collection were found to be. */
struct sorting {
  struct finalizer_list live, dead, ordered;
};

static void sort_finalizers(const struct core *core, struct finalizer_list *list, struct sorting *into) {
  struct finalizer *at;
  while ((at = pop_finalizer(list))) {
    uintptr_t cell = weak_cell(&core->form, &core->space, at->object);
    if (weak_live(&core->space, cell)) {
      at->object += weak_now(&core->space, cell) - cell;
      push_finalizer(&into->live, at);
    } else {
      push_finalizer(at->ordered ? &into->ordered : &into->dead, at);
    }
  }
}

/* Puts a list of dead ordered ones into a table. post: false if memory was refused; the list is as it was. */
static bool tabulate(struct core *core, const struct finalizer_list *list, struct table *table) {
  for (struct finalizer *at = list->first; at; at = at->next) {
    if (!table_grow(table, core->space.memory, table->count + 1, sizeof at)) return false;
    ((struct finalizer **)table->items)[table->count++] = at;
  }
  return true;
}

/* Queues those that no other one reaches, and keeps the objects of all. Without memory to find out which: keeps
 * them and queues none. */
static void process_ordered(struct core *core, struct finalizer_list *list) {
  struct table table = {NULL, 0, 0};
  size_t cycles = SIZE_MAX;
  if (tabulate(core, list, &table)) cycles = mdn_finalizers_order(core, table.items, table.count, false);
  struct finalizer_list waiting = {NULL};
  struct finalizer *at;
  while ((at = pop_finalizer(list))) {
    mdn_ephemerons_keep(core, &at->object);
    if (cycles != SIZE_MAX && at->ready) {
      enqueue(core, at);
    } else {
      push_finalizer(&waiting, at);
    }
  }
  mdn_ephemerons_settle(core);
  while ((at = pop_finalizer(&waiting))) push_finalizer(&core->finalizers.old, at);
  if (cycles == SIZE_MAX) {
    core->figures.weak_kept++;
  } else {
    core->figures.finalizer_cycles += cycles;
  }
  mdn_table_close(&table, core->space.memory);
}

void mdn_finalizers_process(struct core *core, bool minor) {
  struct finalizers *finalizers = &core->finalizers;
  struct sorting sorting = {{NULL}, {NULL}, {NULL}};
  struct finalizer *at;
  sort_finalizers(core, &finalizers->young, &sorting);
  if (!minor) sort_finalizers(core, &finalizers->old, &sorting);
  if (sorting.dead.first) {
    while ((at = pop_finalizer(&sorting.dead))) {
      enqueue(core, at);
      mdn_ephemerons_keep(core, &at->object);
    }
    mdn_ephemerons_settle(core);
    /* Of those in order, some may be reachable from these: then they wait. */
    struct finalizer_list rest = sorting.ordered;
    sorting.ordered.first = NULL;
    sort_finalizers(core, &rest, &sorting);
  }
  while ((at = pop_finalizer(&sorting.live))) push_finalizer(&finalizers->old, at);
  if (sorting.ordered.first) process_ordered(core, &sorting.ordered);
}

/* ---- at the end of a heap ---- */

/* Merge sort by component, the last found first, then by age: dependants come first. */
static bool comes_first(const struct finalizer *a, const struct finalizer *b) {
  if (a->ordered != b->ordered) return !a->ordered;
  if (a->ordered && a->component != b->component) return a->component > b->component;
  return a->number < b->number;
}

static struct finalizer *merge(struct finalizer *a, struct finalizer *b) {
  struct finalizer *first = NULL, **last = &first;
  while (a && b) {
    struct finalizer **least = comes_first(b, a) ? &b : &a;
    *last = *least;
    last = &(*least)->next;
    *least = *last;
  }
  *last = a ? a : b;
  return first;
}

static struct finalizer *sort_list(struct finalizer *list) {
  struct finalizer *runs[64] = {NULL}; /* runs[i]: 2^i of them, or none */
  while (list) {
    struct finalizer *run = list;
    list = list->next;
    run->next = NULL;
    size_t i = 0;
    for (; runs[i]; i++) {
      run = merge(runs[i], run);
      runs[i] = NULL;
    }
    runs[i] = run;
  }
  for (size_t i = 0; i < 64; i++) list = merge(runs[i], list);
  return list;
}

void mdn_finalizers_queue_all(struct core *core) {
  struct finalizers *finalizers = &core->finalizers;
  struct finalizer_list all = {NULL};
  struct table table = {NULL, 0, 0};
  struct finalizer *at;
  while ((at = pop_finalizer(&finalizers->young))) push_finalizer(&all, at);
  while ((at = pop_finalizer(&finalizers->old))) push_finalizer(&all, at);
  for (at = all.first; at; at = at->next) at->component = 0;
  if (tabulate(core, &all, &table)) mdn_finalizers_order(core, table.items, table.count, true);
  mdn_table_close(&table, core->space.memory);
  for (at = sort_list(all.first); at;) {
    struct finalizer *next = at->next;
    enqueue(core, at);
    at = next;
  }
}
