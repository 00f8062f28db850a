/* The heap glue. A language author who wants to embed midden can read this file alone; it shows
 *
 *   1. kinds: telling the heap the shapes of objects, once, at start-up;
 *   2. roots: where the interpreter keeps references outside the heap;
 *   3. opening: tags, stack mode, options from the user;
 *   4. allocation, and what to do when there is no memory.
 *
 * The objects themselves are made in objects.c, and figures are read in figures.c. */
#include "heap.h"

#include <stdlib.h>

#include "hashtable.h"
#include "inspect.h"
#include "ports.h"

/* ---- 1. Kinds ----
 * All shapes are described by tables; the collectors trace them without calling us. A kind with a
 * size is allocated by midden_alloc, one without by midden_alloc_sized. Kinds whose words are all
 * values are ALL; a word that is a plain integer or host pointer needs a BITMAP that leaves it
 * out. Code never moves, so that return addresses may point into it. */
#define WORD(type, member) ((uint64_t)1 << (offsetof(struct type, member) / sizeof(value)))

static const midden_shape shapes[KIND_COUNT] = {
    [KIND_PAIR] = {.name = "pair", .size = sizeof(struct pair), .refs = MIDDEN_REFS_ALL},
    [KIND_FLONUM] = {.name = "flonum", .size = 16, .refs = MIDDEN_REFS_NONE, .flags = MIDDEN_KIND_UNZEROED},
    [KIND_CLOSURE] = {.name = "closure", .refs = MIDDEN_REFS_ALL},
    [KIND_VECTOR] = {.name = "vector", .refs = MIDDEN_REFS_ALL},
    [KIND_CODE] = {.name = "code",
                   .size = sizeof(struct code),
                   .refs = MIDDEN_REFS_ELEMENTS,
                   .bitmap = WORD(code, constants) | WORD(code, name),
                   .element_size = sizeof(union word),
                   .element_bitmap = 0,
                   .flags = MIDDEN_KIND_PINNED},
    [KIND_BOX] = {.name = "box", .size = sizeof(struct box), .refs = MIDDEN_REFS_ALL},
    [KIND_STRING] = {.name = "string",
                     .size = sizeof(struct string),
                     .refs = MIDDEN_REFS_BITMAP,
                     .bitmap = WORD(string, body)},
    [KIND_BYTES] = {.name = "characters", .refs = MIDDEN_REFS_NONE, .flags = MIDDEN_KIND_UNZEROED},
    [KIND_BYTEVECTOR] = {.name = "bytevector", .refs = MIDDEN_REFS_NONE, .flags = MIDDEN_KIND_UNZEROED},
    [KIND_SYMBOL] = {.name = "symbol",
                     .size = sizeof(struct symbol),
                     .refs = MIDDEN_REFS_BITMAP,
                     .bitmap = WORD(symbol, name)},
    [KIND_RECORD_TYPE] = {.name = "record type", .size = sizeof(struct record_type), .refs = MIDDEN_REFS_ALL},
    [KIND_RECORD] = {.name = "record", .refs = MIDDEN_REFS_ALL},
    [KIND_CONDITION] = {.name = "condition", .size = sizeof(struct condition), .refs = MIDDEN_REFS_ALL},
    [KIND_PORT] = {.name = "port", .size = sizeof(struct port_object), .refs = MIDDEN_REFS_NONE},
    [KIND_MULTIPLE] = {.name = "multiple values", .refs = MIDDEN_REFS_ALL},
    [KIND_SEGMENT] = {.name = "stack segment", .refs = MIDDEN_REFS_ALL},
    /* A weak car and a strong cdr; a key and its datum. */
    [KIND_WEAK_PAIR] = {.name = "weak pair",
                        .size = sizeof(struct pair),
                        .refs = MIDDEN_REFS_WEAK,
                        .weak_bitmap = WORD(pair, car),
                        .bitmap = WORD(pair, cdr)},
    [KIND_EPHEMERON] = {.name = "ephemeron", .refs = MIDDEN_REFS_PAIRS, .pairs = MIDDEN_PAIRS_EPHEMERON},
    [KIND_HASHTABLE] = {.name = "hashtable", .size = sizeof(struct hashtable), .refs = MIDDEN_REFS_ALL},
    /* As a vector of the same length, but each key keeps its value only as long as it lives itself. */
    [KIND_WEAK_ENTRIES] = {.name = "weak entries",
                           .size = sizeof(struct vector),
                           .refs = MIDDEN_REFS_PAIRS,
                           .pairs = MIDDEN_PAIRS_EPHEMERON},
};

/* A port that the program lost: written out, closed and freed. Nothing of the heap is needed for it, so it takes no
 * finalizer. When the heap is closed, the ports have been closed before it. */
static void free_port(void *object, size_t size, void *context) {
  (void)size;
  struct vm *vm = context;
  struct port *port = ((struct port_object *)object)->port;
  if (!port || !vm->ports || port->is_standard)
    return;
  port_close(port);
  port_discard(port);
}

static bool define_kinds(struct vm *vm, midden_error *error) {
  for (int kind = KIND_NONE + 1; kind < KIND_COUNT; kind++) {
    midden_shape shape = shapes[kind];
    if (kind == KIND_PORT) {
      shape.on_free = free_port;
      shape.on_free_context = vm;
    }
    vm->kinds[kind] = midden_kind_define(vm->heap, &shape, error);
    if (vm->kinds[kind].id == 0)
      return false;
    vm->kind_of_id[vm->kinds[kind].id] = (uint8_t)kind;
  }
  return true;
}

/* ---- 2. Roots ----
 * Three sorts, all precise: the interpreter's own registers are one range of words; global
 * variables are ranges too (globals.c); and callbacks visit what has no fixed extent: the live part
 * of the VM stack, and in the other the symbol table and the growable temporaries. */
static void scan_stack(midden_visitor *visitor, void *context) {
  struct vm *vm = context;
  stack_scrub(vm);
  midden_visit_range(visitor, vm->base, (size_t)(vm->top - vm->base));
}

static void scan_tables(midden_visitor *visitor, void *context) {
  struct vm *vm = context;
  midden_visit_range(visitor, vm->symbols, vm->symbol_capacity);
  midden_visit_range(visitor, vm->temporaries.items, vm->temporaries.count);
  guards_visit(vm, visitor);
}

static bool register_roots(struct vm *vm, midden_error *error) {
  midden_status status = midden_root_range_add(vm->heap, &vm->roots, VM_ROOT_COUNT);
  if (status == MIDDEN_OK)
    status = midden_root_scanner_add(vm->heap, scan_stack, vm);
  if (status == MIDDEN_OK)
    status = midden_root_scanner_add(vm->heap, scan_tables, vm);
  if (status == MIDDEN_OK)
    status = midden_root_scanner_name(vm->heap, scan_stack, vm, "the VM stack");
  if (status == MIDDEN_OK)
    status = midden_root_scanner_name(vm->heap, scan_tables, vm, "symbols and temporaries");
  if (status == MIDDEN_OK)
    return true;
  error->status = status;
  snprintf(error->message, sizeof error->message, "the interpreter's roots could not be registered");
  return false;
}

/* ---- 3. Opening and closing ---- */
static void allocate_ballast(struct vm *vm);

static bool prepare(struct vm *vm, const midden_config *config, const void *stack_bottom,
                    midden_error *error) {
  if (midden_heap_open(config, &vm->heap, error) != MIDDEN_OK)
    return false;
  vm->mutator = midden_attach(vm->heap, stack_bottom, error);
  if (!vm->mutator || !define_kinds(vm, error))
    return false;
  snprintf(error->message, sizeof error->message, "no memory for the interpreter");
  error->status = MIDDEN_NO_MEMORY;
  if (!stack_open(vm) || !register_roots(vm, error) || !inspect_open(vm))
    return false;
  size_t limit = midden_heap_config(vm->heap)->heap_limit;
  vm->ballast_size = limit && limit < ((size_t)8 << 20) ? limit / 32 : (size_t)256 << 10;
  vm->roots.ballast = FALSE_VALUE;
  if (!scheme_boot(vm))
    return false;
  vm->is_booted = true;
  allocate_ballast(vm);
  return true;
}

struct vm *scheme_open(midden_config *config, const void *stack_bottom, midden_error *error) {
  config->references.low_tags = SCHEME_REFERENCE_TAGS;
  config->cleared = BROKEN;
#ifdef SCHEME_PRECISE
  config->stack = MIDDEN_STACK_PRECISE;
#else
  if (config->stack == MIDDEN_STACK_PRECISE) {
    error->status = MIDDEN_CONFLICT;
    snprintf(error->message, sizeof error->message,
             "stack=precise needs registered C locals, which this build has not: use midden-scheme-precise");
    return NULL;
  }
#endif
  struct vm *vm = calloc(1, sizeof *vm);
  if (!vm) {
    error->status = MIDDEN_NO_MEMORY;
    snprintf(error->message, sizeof error->message, "no memory for the interpreter");
    return NULL;
  }
  if (prepare(vm, config, stack_bottom, error))
    return vm;
  scheme_close(vm);
  return NULL;
}

void scheme_close(struct vm *vm) {
  ports_close_all(vm);
  midden_heap_close(vm->heap); /* detaches the mutator, forgets the roots */
  stack_close(vm);
  symbol_table_close(vm);
  guards_close(vm);
  free(vm->temporaries.items);
  free(vm);
}

/* ---- 4. Allocation ----
 * NULL means that even an emergency collection found nothing. That becomes a Scheme exception
 * like any other. Two things were set aside for it when the interpreter was opened: the condition
 * itself, and some ballast that is dropped now, so that the handler finds memory to work in. */
value out_of_memory(struct vm *vm) {
  vm->roots.ballast = FALSE_VALUE;
  vm->roots.exception = vm->roots.out_of_memory;
  return FAIL;
}

static void allocate_ballast(struct vm *vm) {
  struct bytevector *ballast =
      midden_alloc_sized(vm->mutator, vm->kinds[KIND_BYTEVECTOR], sizeof *ballast + vm->ballast_size);
  if (!ballast)
    return;
  ballast->length = (int64_t)vm->ballast_size;
  vm->roots.ballast = tagged(ballast, TAG_OBJECT);
}

/* A frame of its own: a large local that is not yet written, in a function that collects, would
 * have the conservative scan find what earlier calls left in that part of the stack. */
static __attribute__((noinline)) bool has_room(struct vm *vm, size_t size) {
  midden_statistics statistics;
  midden_statistics_read(vm->heap, &statistics);
  return statistics.used_bytes + statistics.block_bytes + size <= statistics.limit_bytes;
}

/* The ballast comes back when there is room for it and as much again; it must not take the very
 * memory that a handler is using. To know costs a collection, so after each failure the next try
 * is put off for twice as long. */
void heap_restore_ballast(struct vm *vm) {
  if (vm->roots.ballast != FALSE_VALUE)
    return;
  if (vm->ballast_delay > 0) {
    vm->ballast_delay--;
    return;
  }
  heap_collect(vm);
  if (has_room(vm, 2 * vm->ballast_size))
    allocate_ballast(vm);
  vm->ballast_backoff = vm->roots.ballast == FALSE_VALUE ? vm->ballast_backoff * 2 + 1 : 0;
  vm->ballast_delay = vm->ballast_backoff;
}

void heap_collect(struct vm *vm) { midden_collect(vm->mutator, MIDDEN_FULL); }

bool value_stack_push(struct value_stack *stack, value v) {
  if (stack->count == stack->capacity) {
    size_t capacity = stack->capacity ? stack->capacity * 2 : 64;
    value *items = realloc(stack->items, capacity * sizeof *items);
    if (!items)
      return false;
    stack->items = items;
    stack->capacity = capacity;
  }
  stack->items[stack->count++] = v;
  return true;
}
