/* A host in one file: a heap, a kind, a global root, precise locals, and errors that are reported.
 *
 * usage: embedding [OPTIONS]     such as: embedding collector=copying,stack=precise */
#include <midden/midden.h>
#include <stdio.h>

/* Bit 0 set: an integer. Otherwise a reference to a pair, or 0 for the empty list. The heap takes
 * words with clear low bits for references, so it never mistakes an integer for one. */
typedef uintptr_t value;

struct pair {
  value car;
  value cdr;
};

struct interpreter {
  midden_heap *heap;
  midden_mutator *mutator;
  midden_kind pair;
  value list; /* a global variable of the interpreted program */
};

static value integer(intptr_t number) {
  return (value)number << 1 | 1;
}

static intptr_t number_of(value integer) {
  return (intptr_t)integer >> 1;
}

static struct pair *pair_of(value pair) {
  return (struct pair *)pair;
}

/* Returns 0 when there is no memory: a real interpreter raises its out-of-memory error there. */
static value cons(struct interpreter *interpreter, value car, value cdr) {
  midden_mutator *mutator = interpreter->mutator;
  MIDDEN_FRAME(mutator, car, cdr);
  struct pair *pair = midden_alloc(mutator, interpreter->pair); /* car and cdr may have moved */
  if (pair) {
    midden_store_word(mutator, pair, &pair->car, car);
    midden_store_word(mutator, pair, &pair->cdr, cdr);
  }
  MIDDEN_END(mutator);
  return (value)pair;
}

/* The list (1 2 ... count), with as much garbage made on the way. */
static bool run(struct interpreter *interpreter, intptr_t count) {
  for (intptr_t i = count; i > 0; i--) {
    value garbage = cons(interpreter, integer(i), 0);
    value pair = cons(interpreter, integer(i), interpreter->list);
    if (!garbage || !pair) return false;
    interpreter->list = pair;
  }
  return true;
}

static bool start(struct interpreter *interpreter, const char *options, const void *stack_bottom,
                  midden_error *error) {
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  if (midden_config_parse(&config, options, error) != MIDDEN_OK) return false;
  if (midden_config_env(&config, "EXAMPLE_GC", error) != MIDDEN_OK) return false;
  if (midden_heap_open(&config, &interpreter->heap, error) != MIDDEN_OK) return false;

  interpreter->mutator = midden_attach(interpreter->heap, stack_bottom, error);
  if (!interpreter->mutator) return false;

  midden_shape shape = {.name = "pair", .size = sizeof(struct pair), .refs = MIDDEN_REFS_ALL};
  interpreter->pair = midden_kind_define(interpreter->heap, &shape, error);
  if (!interpreter->pair.id) return false;

  error->status = midden_root_add(interpreter->heap, &interpreter->list);
  return error->status == MIDDEN_OK;
}

int main(int argc, char **argv) {
  struct interpreter interpreter = {0};
  midden_error error = {MIDDEN_OK, ""};
  if (!start(&interpreter, argc > 1 ? argv[1] : "", &interpreter, &error)) {
    fprintf(stderr, "%s: %s\n", midden_status_name(error.status), error.message);
    midden_heap_close(interpreter.heap);
    return 2;
  }

  bool done = run(&interpreter, 200000);
  if (!done) {
    fprintf(stderr, "%s\n", midden_status_name(midden_last_status(interpreter.mutator)));
  } else {
    intptr_t sum = 0;
    for (value list = interpreter.list; list; list = pair_of(list)->cdr) sum += number_of(pair_of(list)->car);
    midden_statistics statistics;
    midden_statistics_read(interpreter.heap, &statistics);
    printf("sum %jd, %ju collections\n", (intmax_t)sum, (uintmax_t)statistics.collections);
  }

  midden_heap_close(interpreter.heap); /* detaches the mutator, too */
  return done ? 0 : 1;
}
