/* Coroutines on stacks of the host's own, whose C locals hold the only references to their objects: the code of
 * docs/roots.md, run by a test.
 *
 * usage: coroutines [OPTIONS]     with stack=conservative, the default */
#include <midden/midden.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

/* Room for the frames of a collection, too: it runs on the stack of whoever allocates. */
enum { STACK_BYTES = 256 << 10, MERGED = 40, THOUSAND = 1000 };

/* A search tree. It is never stored outside the heap but in C locals of the generator that walks it. */
struct tree {
  struct tree *left, *right;
  uintptr_t number;
};

struct number {
  uintptr_t value;
};

struct host {
  midden_heap *heap;
  midden_mutator *mutator;
  midden_kind tree, number;
  struct coroutine *running; /* NULL: the stack that the mutator was attached on */
};

/* Memory of malloc, which the heap does not look at. */
struct coroutine {
  struct host *host;
  void (*body)(struct coroutine *self);
  uintptr_t first, step, count; /* for the body: which numbers */
  struct number *yielded;       /* read before anything is allocated, so it need not be a root */
  bool finished;
  midden_stack *stack;
  void *memory;
  ucontext_t here;           /* where it was left */
  struct coroutine *resumer; /* as `running` */
  ucontext_t resumer_here;
};

static void require(bool condition, const char *what) {
  if (condition) return;
  fprintf(stderr, "coroutines: %s\n", what);
  exit(1);
}

/* ---- switching ---- */

/* Leaves the running stack for that of `to`. The heap is told in the function that switches, immediately before: from
 * here on, the stack that is left is scanned as it is now. */
static __attribute__((noinline)) void change_stack(struct host *host, ucontext_t *from, struct coroutine *to,
                                                   const ucontext_t *to_here) {
  host->running = to;
  require(midden_stack_switch(host->mutator, to ? to->stack : NULL) == MIDDEN_OK, "switch");
  require(swapcontext(from, to_here) == 0, "swapcontext"); /* not the last call: this frame must stay */
}

static void yield(struct coroutine *self, struct number *value) {
  self->yielded = value;
  change_stack(self->host, &self->here, self->resumer, &self->resumer_here);
}

/* What a generator yields next; NULL when it has finished. A generator may ask another one. */
static struct number *next(struct coroutine *generator) {
  generator->yielded = NULL;
  if (generator->finished) return NULL;
  generator->resumer = generator->host->running;
  change_stack(generator->host, &generator->resumer_here, generator, &generator->here);
  return generator->yielded;
}

/* ---- beginning and end ---- */

static struct coroutine *beginning; /* makecontext passes integers only */

static void begin(void) {
  struct coroutine *self = beginning;
  yield(self, NULL); /* back to `create`, which may begin another one now */
  self->body(self);
  self->finished = true;
  yield(self, NULL); /* for good */
}

static struct coroutine *create(struct host *host, void (*body)(struct coroutine *self), uintptr_t first,
                                uintptr_t step, uintptr_t count) {
  struct coroutine *made = calloc(1, sizeof *made);
  void *memory = malloc(STACK_BYTES);
  require(made && memory, "out of memory");
  *made = (struct coroutine){.host = host, .body = body, .first = first, .step = step, .count = count, .memory = memory};
  made->stack = midden_stack_add(host->mutator, memory, STACK_BYTES);
  require(made->stack && getcontext(&made->here) == 0, "out of memory");
  made->here.uc_stack.ss_sp = memory;
  made->here.uc_stack.ss_size = STACK_BYTES;
  makecontext(&made->here, begin, 0);
  beginning = made;
  next(made);
  return made;
}

/* Whether it has finished or was left half-way: what only its stack held is garbage from here on. */
static void discard(struct coroutine *gone) {
  require(midden_stack_remove(gone->host->mutator, gone->stack) == MIDDEN_OK, "remove");
  free(gone->memory);
  free(gone);
}

/* ---- generators ---- */

static struct number *make_number(struct host *host, uintptr_t value) {
  struct number *number = midden_alloc(host->mutator, host->number);
  require(number != NULL, "out of memory");
  number->value = value;
  return number;
}

/* The tree of the numbers first, first + step ..., `count` of them. */
static struct tree *plant(struct host *host, uintptr_t first, uintptr_t step, uintptr_t count) {
  if (count == 0) return NULL;
  uintptr_t half = count / 2;
  struct tree *left = plant(host, first, step, half);
  struct tree *right = plant(host, first + (half + 1) * step, step, count - half - 1);
  struct tree *tree = midden_alloc(host->mutator, host->tree);
  require(tree != NULL, "out of memory");
  tree->number = first + half * step;
  midden_store(host->mutator, tree, &tree->left, left);
  midden_store(host->mutator, tree, &tree->right, right);
  return tree;
}

/* `tree` is a local of as many suspended calls as the tree is deep. */
static void walk(struct coroutine *self, struct tree *tree) {
  if (!tree) return;
  walk(self, tree->left);
  yield(self, make_number(self->host, tree->number));
  walk(self, tree->right);
}

static void tree_in_order(struct coroutine *self) {
  walk(self, plant(self->host, self->first, self->step, self->count));
}

/* The even and the odd numbers, each from a tree of a generator's own, in their common order. */
static void merge(struct coroutine *self) {
  struct coroutine *evens = create(self->host, tree_in_order, 0, 2, self->count / 2);
  struct coroutine *odds = create(self->host, tree_in_order, 1, 2, self->count / 2);
  struct number *even = next(evens), *odd = next(odds); /* locals of a stack that is left while others allocate */
  while (even || odd) {
    if (even && (!odd || even->value < odd->value)) {
      yield(self, even);
      even = next(evens);
    } else {
      yield(self, odd);
      odd = next(odds);
    }
  }
  discard(evens);
  discard(odds);
}

/* ---- the program ---- */

/* A coroutine that resumes two others; all three finish. */
static void finished(struct host *host) {
  struct coroutine *merged = create(host, merge, 0, 1, MERGED);
  uintptr_t expected = 0;
  for (struct number *number; (number = next(merged)); expected++) {
    midden_collect(host->mutator, MIDDEN_MINOR);
    require(number->value == expected, "the numbers are not in order");
  }
  require(expected == MERGED && merged->finished, "numbers are missing");
  discard(merged);
}

/* Trees that were not found dead yet. */
static size_t trees(const struct host *host) {
  midden_usage usage = {0};
  require(midden_usage_of_kind(host->heap, host->tree.id, &usage) == MIDDEN_OK, "usage");
  return usage.objects;
}

static bool collects(const struct host *host) {
  return strcmp(midden_heap_config(host->heap)->collector, "none") != 0;
}

/* Dead words on our own stack may be taken for references: they lie where this writes. */
static __attribute__((noinline)) void wipe_stack(void) {
  volatile char words[16 << 10];
  for (size_t i = 0; i < sizeof words; i++) words[i] = 0;
}

/* Half of a tree walked, and then no more. */
static void abandoned(struct host *host) {
  struct coroutine *walker = create(host, tree_in_order, 0, 1, 31);
  for (uintptr_t expected = 0; expected < 16; expected++) {
    require(next(walker)->value == expected, "the numbers are not in order");
  }
  midden_collect(host->mutator, MIDDEN_FULL);
  require(trees(host) >= 16, "the stack that waits has lost its tree");
  discard(walker);
  wipe_stack();
  midden_collect(host->mutator, MIDDEN_FULL);
  require(!collects(host) || trees(host) == 0, "an abandoned tree was kept");
}

/* Each has yielded the one number of its tree. Every other one goes on to its end, the rest never does. */
static void thousand(struct host *host) {
  static struct coroutine *all[THOUSAND];
  for (uintptr_t i = 0; i < THOUSAND; i++) {
    all[i] = create(host, tree_in_order, i, 1, 1);
    require(next(all[i])->value == i, "not its number");
  }
  for (uintptr_t i = 0; i < THOUSAND; i += 2) require(next(all[i]) == NULL && all[i]->finished, "one number too many");
  midden_collect(host->mutator, MIDDEN_FULL);
  require(trees(host) >= THOUSAND / 2, "a stack that waits has lost its tree");
  for (size_t i = 0; i < THOUSAND; i++) discard(all[i]);
  wipe_stack();
  midden_collect(host->mutator, MIDDEN_FULL);
  require(!collects(host) || trees(host) < 20, "abandoned trees were kept");
}

static midden_status start(struct host *host, const char *options, midden_error *error) {
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  midden_status status = midden_config_parse(&config, options, error);
  if (status == MIDDEN_OK) status = midden_heap_open(&config, &host->heap, error);
  if (status != MIDDEN_OK) return status;
  if (!(host->mutator = midden_attach(host->heap, NULL, error))) return error->status;
  midden_shape tree = {.name = "tree", .size = sizeof(struct tree), .refs = MIDDEN_REFS_BITMAP, .bitmap = 3};
  midden_shape number = {.name = "number", .size = sizeof(struct number)};
  host->tree = midden_kind_define(host->heap, &tree, error);
  host->number = midden_kind_define(host->heap, &number, error);
  return host->tree.id && host->number.id ? MIDDEN_OK : error->status;
}

int main(int argc, char **argv) {
  struct host host = {0};
  midden_error error = {MIDDEN_OK, ""};
  if (start(&host, argc > 1 ? argv[1] : "", &error) != MIDDEN_OK) {
    fprintf(stderr, "coroutines: %s\n", error.message);
    return 2;
  }
  require(midden_heap_config(host.heap)->stack == MIDDEN_STACK_CONSERVATIVE, "references in bare locals: stack=conservative");
  finished(&host);
  abandoned(&host);
  thousand(&host);
  midden_heap_close(host.heap);
  return 0;
}
