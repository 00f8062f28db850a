/* An interpreter that collections interrupt between two instructions only, and that several threads run in turns: the code
 * of docs/running.md, run by a test.
 *
 * usage: safe-points [OPTIONS] */
#include <midden/midden.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEPTH = 100, THREADS = 3, TURNS = 20, INSTRUCTIONS = 500 };

struct pair {
  struct pair *car, *cdr;
};

struct host {
  midden_heap *heap;
  midden_mutator *mutator;
  midden_kind pair;
  struct pair *stack[DEPTH]; /* the interpreter's: roots */
  size_t executed;
  pthread_mutex_t lock;
};

static void require(bool condition, const char *what) {
  if (condition) return;
  fprintf(stderr, "safe-points: %s\n", what);
  exit(1);
}

static void open_host(struct host *host, const char *options) {
  midden_error error = {MIDDEN_OK, ""};
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  config.collecting = MIDDEN_COLLECTING_ASKED;
  config.heap_limit = 64 << 20;
  config.soft_limit = 60 << 20; /* what is allocated between two instructions has the difference, at least */
  require(midden_config_parse(&config, options, &error) == MIDDEN_OK, error.message);
  require(midden_heap_open(&config, &host->heap, &error) == MIDDEN_OK, error.message);
  host->mutator = midden_attach(host->heap, NULL, &error);
  require(host->mutator != NULL, error.message);
  midden_shape pair = {.name = "pair", .size = sizeof(struct pair), .refs = MIDDEN_REFS_ALL};
  host->pair = midden_kind_define(host->heap, &pair, &error);
  require(host->pair.id != 0, error.message);
  require(midden_root_range_add(host->heap, host->stack, DEPTH) == MIDDEN_OK, "roots");
}

/* ---- safe points ---- */

static struct pair *cons(struct host *host, struct pair *car, struct pair *cdr) {
  struct pair *pair = midden_alloc(host->mutator, host->pair); /* collects nothing: car and cdr need no frame */
  if (!pair) return NULL;
  midden_store(host->mutator, pair, &pair->car, car);
  midden_store(host->mutator, pair, &pair->cdr, cdr);
  return pair;
}

/* Builds a small tree in C locals that no root knows of. post: false: no memory, and nothing has changed. */
static bool execute(struct host *host) {
  struct pair *leaf = cons(host, NULL, NULL);
  struct pair *left = leaf ? cons(host, leaf, NULL) : NULL;
  struct pair *tree = left ? cons(host, left, leaf) : NULL;
  if (!tree) return false;
  host->stack[host->executed++ % DEPTH] = tree;
  return true;
}

/* Between two instructions: all that is in use is on the interpreter's stack. */
static void safe_point(struct host *host) {
  if (midden_collection_due(host->mutator)) midden_collect(host->mutator, MIDDEN_PACED);
}

static void run(struct host *host, size_t instructions) {
  for (; instructions > 0; instructions--) {
    safe_point(host);
    if (execute(host)) continue;
    midden_collect(host->mutator, MIDDEN_FULL); /* memory was refused: here it can be made */
    require(execute(host), "out of memory");
  }
}

static void check(const struct host *host) {
  for (size_t i = 0; i < DEPTH; i++) {
    const struct pair *tree = host->stack[i];
    require(tree && tree->car->car == tree->cdr && !tree->cdr->car && !tree->cdr->cdr, "a tree is broken");
  }
}

/* ---- threads ---- */

/* Who runs the interpreter has the lock, and with it the heap. */
static void enter(struct host *host, const void *stack_bottom) {
  pthread_mutex_lock(&host->lock);
  midden_error error;
  require(midden_adopt(host->mutator, stack_bottom, &error) == MIDDEN_OK, error.message);
}

static void leave(struct host *host) {
  pthread_mutex_unlock(&host->lock); /* what only locals of this thread hold may be gone when it enters again */
}

static void *run_in_turns(void *context) {
  struct host *host = context;
  for (int turn = 0; turn < TURNS; turn++) {
    enter(host, &host);
    run(host, INSTRUCTIONS);
    check(host);
    leave(host);
  }
  return NULL;
}

int main(int argc, char **argv) {
  static struct host host = {.lock = PTHREAD_MUTEX_INITIALIZER};
  open_host(&host, argc > 1 ? argv[1] : "");
  run(&host, 10000);
  check(&host);

  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) require(pthread_create(&threads[i], NULL, run_in_turns, &host) == 0, "thread");
  for (int i = 0; i < THREADS; i++) require(pthread_join(threads[i], NULL) == 0, "join");

  enter(&host, NULL); /* only the thread that has the heap may close it */
  check(&host);
  midden_statistics statistics;
  midden_statistics_read(host.heap, &statistics);
  require(statistics.collections == statistics.requested_collections, "it collected by itself");
  printf("%zu instructions, %ju collections\n", host.executed, (uintmax_t)statistics.collections);
  require(midden_heap_close(host.heap) == MIDDEN_OK, "close");
  return 0;
}
