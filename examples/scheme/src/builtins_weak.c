/* Builtins: weak pairs, ephemerons (SRFI 124), and what guardians are made of (boot.scm). They show what a host does
 * with midden/weak.h and midden/finalize.h.
 *
 * The heap's cleared word is BROKEN, an immediate that programs never see: they get #f. */
#include <stdlib.h>

#include "builtins.h"

static value seen(value v) { return v == BROKEN ? FALSE_VALUE : v; }

/* ---- weak pairs: the car is weak; ephemerons: car is the key, cdr the datum ---- */

static value make_weakly(struct vm *vm, enum kind kind, const value *argv) {
  struct pair *pair = heap_allocate_sized(vm, kind, sizeof *pair);
  if (!pair)
    return FAIL;
  heap_initialise(&pair->car, argv[0]); /* argv is on the VM stack: it was kept up to date */
  heap_initialise(&pair->cdr, argv[1]);
  return tagged(pair, TAG_OBJECT);
}

/* The object behind argv[0], or NULL and an exception. */
static struct pair *weak_argument(struct vm *vm, const char *name, enum kind kind, const value *argv) {
  if (is_kind(vm, argv[0], kind))
    return object_of(argv[0]);
  bad_argument(vm, name, kind == KIND_EPHEMERON ? "not an ephemeron" : "not a weak pair", argv[0]);
  return NULL;
}

static value weak_cons(struct vm *vm, value *argv, int argc) {
  return (void)argc, make_weakly(vm, KIND_WEAK_PAIR, argv);
}
static value make_ephemeron(struct vm *vm, value *argv, int argc) {
  return (void)argc, make_weakly(vm, KIND_EPHEMERON, argv);
}
static value is_weak_pair(struct vm *vm, value *argv, int argc) {
  return (void)argc, make_boolean(is_kind(vm, argv[0], KIND_WEAK_PAIR));
}
static value is_ephemeron(struct vm *vm, value *argv, int argc) {
  return (void)argc, make_boolean(is_kind(vm, argv[0], KIND_EPHEMERON));
}

#define FIELD(function, name, kind, result)                                                                  \
  static value function(struct vm *vm, value *argv, int argc) {                                              \
    const struct pair *pair = weak_argument(vm, name, kind, argv);                                           \
    return (void)argc, pair ? (result) : FAIL;                                                               \
  }
FIELD(weak_car, "weak-car", KIND_WEAK_PAIR, seen(pair->car))
FIELD(weak_cdr, "weak-cdr", KIND_WEAK_PAIR, pair->cdr)
FIELD(weak_broken, "weak-pair-broken?", KIND_WEAK_PAIR, make_boolean(pair->car == BROKEN))
FIELD(ephemeron_key, "ephemeron-key", KIND_EPHEMERON, seen(pair->car))
FIELD(ephemeron_datum, "ephemeron-datum", KIND_EPHEMERON, seen(pair->cdr))
FIELD(ephemeron_broken, "ephemeron-broken?", KIND_EPHEMERON, make_boolean(pair->car == BROKEN))

/* Its argument is alive until here, because it is an argument. */
static value reference_barrier(struct vm *vm, value *argv, int argc) {
  return (void)vm, (void)argv, (void)argc, UNSPECIFIED;
}

/* ---- guardians ---- */

/* What a finalizer needs to know, outside the heap; its queue is a root as long as the object lives. */
struct guard {
  struct guard *next, **link; /* of all; *link points here */
  struct vm *vm;
  value queue; /* a pair whose car is the list of objects that were found dead */
  unsigned tag;
};

static void guard_add(struct vm *vm, struct guard *guard) {
  guard->next = vm->guards;
  guard->link = &vm->guards;
  if (guard->next)
    guard->next->link = &guard->next;
  vm->guards = guard;
}

static void guard_free(struct guard *guard) {
  *guard->link = guard->next;
  if (guard->next)
    guard->next->link = guard->link;
  free(guard);
}

void guards_visit(struct vm *vm, midden_visitor *visitor) {
  for (struct guard *guard = vm->guards; guard; guard = guard->next)
    midden_visit(visitor, &guard->queue);
}

void guards_close(struct vm *vm) {
  while (vm->guards)
    guard_free(vm->guards);
}

/* The object goes to its guardian's queue, and is reachable again. When there is no memory for that, it is guarded
 * once more, and the next collection finds it. */
static void guarded_died(midden_mutator *mutator, void *object, void *context) {
  struct guard *guard = context;
  struct vm *vm = guard->vm;
  value guarded = tagged(object, guard->tag);
  SCHEME_FRAME(vm, guarded);
  value cell = make_pair(vm, guarded, car(guard->queue));
  SCHEME_END(vm);
  if (cell == FAIL) {
    if (midden_finalizer_add(mutator, untagged(guarded), guarded_died, guard) != MIDDEN_OK)
      guard_free(guard);
    return;
  }
  struct pair *queue = pair_of(guard->queue);
  heap_store(vm, queue, &queue->car, cell);
  guard_free(guard);
}

/* (%add-guarded object queue) */
static value guard_(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (!(SCHEME_REFERENCE_TAGS >> (argv[0] & TAG_MASK) & 1))
    return bad_argument(vm, "guardian", "not an object of the heap", argv[0]);
  struct guard *guard = malloc(sizeof *guard);
  if (!guard)
    return out_of_memory(vm);
  *guard = (struct guard){.vm = vm, .queue = argv[1], .tag = (unsigned)(argv[0] & TAG_MASK)};
  guard_add(vm, guard);
  if (midden_finalizer_add(vm->mutator, untagged(argv[0]), guarded_died, guard) != MIDDEN_OK) {
    guard_free(guard);
    return out_of_memory(vm);
  }
  return UNSPECIFIED;
}

/* (%run-finalizers): where a program asks for what was found dead, it is ready to have them run. */
static value run_finalizers(struct vm *vm, value *argv, int argc) {
  (void)argv, (void)argc;
  return make_fixnum((int64_t)midden_finalizers_run(vm->mutator, SIZE_MAX));
}

const struct builtin weak_builtins[] = {
    {"weak-cons", weak_cons, 2, 2},
    {"weak-pair?", is_weak_pair, 1, 1},
    {"weak-car", weak_car, 1, 1},
    {"weak-cdr", weak_cdr, 1, 1},
    {"weak-pair-broken?", weak_broken, 1, 1},
    {"make-ephemeron", make_ephemeron, 2, 2},
    {"ephemeron?", is_ephemeron, 1, 1},
    {"ephemeron-key", ephemeron_key, 1, 1},
    {"ephemeron-datum", ephemeron_datum, 1, 1},
    {"ephemeron-broken?", ephemeron_broken, 1, 1},
    {"reference-barrier", reference_barrier, 1, 1},
    {"%add-guarded", guard_, 2, 2},
    {"%run-finalizers", run_finalizers, 0, 0},
    {NULL, NULL, 0, 0},
};
