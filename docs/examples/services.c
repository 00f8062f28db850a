/* Services that a running host needs, each as short as it gets: the code of docs/embedding.md that is not in another of
 * the examples, run by a test.
 *
 * usage: services [OPTIONS] */
#include <midden/midden.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct pair {
  struct pair *car, *cdr;
};

struct host {
  midden_heap *heap;
  midden_mutator *mutator;
  midden_kind pair;
  void *kept[4]; /* roots */
};

static void require(bool condition, const char *what) {
  if (condition) return;
  fprintf(stderr, "services: %s\n", what);
  exit(1);
}

static void open_host(struct host *host, const char *options, const char *more_options) {
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  midden_error error = {MIDDEN_OK, ""};
  *host = (struct host){0};
  require(midden_config_parse(&config, options, &error) == MIDDEN_OK, error.message);
  require(midden_config_parse(&config, more_options, &error) == MIDDEN_OK, error.message);
  require(midden_heap_open(&config, &host->heap, &error) == MIDDEN_OK, error.message);
  host->mutator = midden_attach(host->heap, NULL, &error);
  require(host->mutator != NULL, error.message);
  midden_shape pair = {.name = "pair", .size = sizeof(struct pair), .refs = MIDDEN_REFS_ALL};
  host->pair = midden_kind_define(host->heap, &pair, &error);
  require(host->pair.id && midden_root_range_add(host->heap, host->kept, 4) == MIDDEN_OK, "roots");
}

/* The kind of a shape. */
static midden_kind define(struct host *host, const midden_shape *shape) {
  midden_error error = {MIDDEN_OK, ""};
  midden_kind kind = midden_kind_define(host->heap, shape, &error);
  require(kind.id != 0, error.message);
  return kind;
}

/* Fails when there is no memory: then kept[0], to which it adds, is as it was. */
static bool push(struct host *host) {
  struct pair *pair = midden_alloc(host->mutator, host->pair);
  if (!pair) return false;
  midden_store(host->mutator, pair, &pair->cdr, host->kept[0]);
  host->kept[0] = pair;
  return true;
}

static size_t length(const struct pair *list) {
  size_t pairs = 0;
  for (; list; list = list->cdr) pairs++;
  return pairs;
}

/* Whether what is unreachable is sure to be found so; the conservative scan may see a dead word. */
static bool exact(const struct host *host) {
  const midden_config *config = midden_heap_config(host->heap);
  return config->stack == MIDDEN_STACK_PRECISE && strcmp(config->collector, "none") != 0;
}

/* ---- finalizers of kinds, in order ---- */

struct file {
  uintptr_t descriptor;
};

struct stream {
  struct file *file;
};

static char events[8];

static void flush_stream(midden_mutator *mutator, void *object, void *context) {
  struct stream *stream = object;
  (void)mutator, (void)context;
  if (stream->file->descriptor == 3) strcat(events, "f"); /* its file is open still */
}

static void close_file(midden_mutator *mutator, void *object, void *context) {
  (void)mutator, (void)object, (void)context;
  strcat(events, "c");
}

static void streams(struct host *host) {
  midden_shape file = {.name = "file", .size = sizeof(struct file), .finalizer = close_file,
                       .flags = MIDDEN_KIND_FINALIZER_ORDERED};
  midden_kind file_kind = define(host, &file);
  midden_shape shape = {.name = "stream", .size = sizeof(struct stream), .refs = MIDDEN_REFS_ALL};
  midden_kind stream_kind = define(host, &shape);
  struct file *opened = host->kept[1] = midden_alloc(host->mutator, file_kind);
  require(opened != NULL, "out of memory");
  opened->descriptor = 3;
  struct stream *stream = midden_alloc(host->mutator, stream_kind);
  require(stream != NULL, "out of memory");
  midden_store(host->mutator, stream, &stream->file, host->kept[1]);
  require(midden_finalizer_add_ordered(host->mutator, stream, flush_stream, NULL) == MIDDEN_OK, "finalizer");

  host->kept[1] = NULL;
  midden_collect(host->mutator, MIDDEN_FULL);
  while (midden_finalizers_run(host->mutator, 10) > 0) continue; /* flushes: the stream reaches the file */
  midden_collect(host->mutator, MIDDEN_FULL);
  while (midden_finalizers_run(host->mutator, 10) > 0) continue; /* closes */
  if (exact(host)) require(strcmp(events, "fc") == 0, "the order of finalizers");
}

/* ---- weak arrays, short and long ---- */

static void ignore(midden_mutator *mutator, void *object, void *context) { (void)mutator, (void)object, (void)context; }

static void weak_arrays(struct host *host) {
  midden_shape shorts = {.name = "weak array", .refs = MIDDEN_REFS_WEAK};
  midden_shape longs = {.name = "long weak array", .refs = MIDDEN_REFS_WEAK, .weak = MIDDEN_WEAK_LONG};
  midden_kind short_kind = define(host, &shorts), long_kind = define(host, &longs);
  host->kept[1] = midden_alloc_sized(host->mutator, short_kind, 10 * sizeof(struct pair *));
  host->kept[2] = midden_alloc_sized(host->mutator, long_kind, 10 * sizeof(struct pair *));
  struct pair *pair = midden_alloc(host->mutator, host->pair);
  struct pair **short_array = host->kept[1], **long_array = host->kept[2];
  require(short_array && long_array && pair, "out of memory");
  midden_store(host->mutator, short_array, &short_array[3], pair);
  midden_store(host->mutator, long_array, &long_array[3], pair);
  require(midden_finalizer_add(host->mutator, pair, ignore, NULL) == MIDDEN_OK, "finalizer");
  pair = NULL;

  midden_collect(host->mutator, MIDDEN_FULL); /* queues the finalizer of the pair */
  short_array = host->kept[1], long_array = host->kept[2];
  if (exact(host)) require(!short_array[3] && long_array[3], "long ones wait for finalizers");

  midden_finalizers_run(host->mutator, 10);
  midden_collect(host->mutator, MIDDEN_FULL);
  long_array = host->kept[2];
  if (exact(host)) require(!long_array[3], "a long one is cleared");
}

/* ---- pinning ---- */

static void pins(struct host *host) {
  midden_shape shape = {.name = "mutex", .size = sizeof(pthread_mutex_t), .flags = MIDDEN_KIND_PINNED};
  midden_kind mutex_kind = define(host, &shape);
  void *mutex = host->kept[1] = midden_alloc(host->mutator, mutex_kind);
  require(push(host) && mutex, "out of memory");
  struct pair *pair = host->kept[0];

  midden_pin(host->mutator, pair);
  midden_pin(host->mutator, pair);
  midden_unpin(host->mutator, pair);
  require(midden_pin_count(host->mutator, pair) == 1, "still pinned");
  midden_collect(host->mutator, MIDDEN_FULL);
  require(host->kept[0] == pair && host->kept[1] == mutex, "pinned objects stay");
  midden_unpin(host->mutator, pair);
}

/* ---- the end of marking ---- */

enum { RESULTS = 16 };

/* Results that the interpreter may compute again: what was used since the last collection stays. */
struct memo {
  struct pair *results[RESULTS]; /* weak slots */
  bool used[RESULTS];
};

static void keep_used(midden_marking *marking, midden_phase phase, void *context) {
  struct memo *memo = context;
  if (phase != MIDDEN_MARKING_ENDS) return;
  for (size_t i = 0; i < RESULTS; i++) {
    if (memo->used[i]) midden_marking_mark(marking, &memo->results[i]);
    memo->used[i] = false;
  }
}

static void memos(struct host *host) {
  static struct memo memo;
  require(midden_root_range_add(host->heap, memo.results, RESULTS) == MIDDEN_OK, "roots, until all are made");
  for (size_t i = 0; i < RESULTS; i++) {
    memo.results[i] = midden_alloc(host->mutator, host->pair);
    require(memo.results[i] != NULL, "out of memory");
    require(midden_weak_add(host->heap, &memo.results[i], MIDDEN_WEAK_SHORT) == MIDDEN_OK, "weak");
    memo.used[i] = i % 2;
  }
  midden_root_remove(host->heap, memo.results);
  require(midden_phase_add(host->heap, keep_used, &memo, false) == MIDDEN_OK, "phase");

  midden_collect(host->mutator, MIDDEN_FULL);
  size_t kept = 0;
  for (size_t i = 0; i < RESULTS; i++) {
    require(!memo.results[i] || midden_object_at(host->heap, memo.results[i]) == memo.results[i], "a result has moved");
    kept += memo.results[i] != NULL;
  }
  require(exact(host) ? kept == RESULTS / 2 : kept >= RESULTS / 2, "what was used stays");
  midden_phase_remove(host->heap, keep_used, &memo);
  for (size_t i = 0; i < RESULTS; i++) midden_weak_remove(host->heap, &memo.results[i]);
}

/* ---- asking ---- */

static void asking(struct host *host) {
  require(push(host), "out of memory");
  struct pair *first = host->kept[0];
  void *address = &first->cdr;

  void *object = midden_object_at(host->heap, address); /* NULL: no object of this heap */
  uint16_t kind = midden_kind_of(host->heap, object);
  printf("%s, %zu bytes\n", midden_kind_name(host->heap, kind), midden_size_of(host->heap, object));
  require(object == first && kind == host->pair.id, "query");

  midden_statistics statistics;
  midden_statistics_read(host->heap, &statistics);
  printf("%zu of %zu bytes used, %ju collections, longest %.1f ms\n", statistics.used_bytes, statistics.committed_bytes,
         (uintmax_t)statistics.collections, (double)statistics.longest_pause_ns / 1e6);
}

/* ---- limits ---- */

static void limits(const char *options) {
  struct host host;
  open_host(&host, options, "heap-limit=128K,soft-limit=96K");
  while (push(&host)) continue;
  require(midden_last_status(host.mutator) == MIDDEN_NO_MEMORY, "why");
  host.kept[0] = NULL; /* an interpreter raises its error, and drops what it unwinds */
  bool again = push(&host);
  if (exact(&host)) require(again, "the heap is usable");
  midden_collect(host.mutator, MIDDEN_FULL);
  size_t returned = midden_trim(host.heap); /* free pages go back to the system now */
  if (exact(&host)) require(returned > 0, "trim");
  midden_heap_close(host.heap);
}

/* ---- processes and threads ---- */

static bool save(struct host *host) {
  return midden_verify(host->heap, NULL) == MIDDEN_OK && length(host->kept[0]) == 100;
}

/* A picture of the heap as it is now, made by a copy of the process while the interpreter goes on. */
static pid_t save_in_background(struct host *host) {
  pid_t child = fork();
  if (child == 0) _exit(save(host) ? 0 : 1); /* the child has a heap of its own: it may also allocate and collect */
  return child;
}

static void forks(struct host *host) {
  host->kept[0] = NULL;
  for (int i = 0; i < 100; i++) require(push(host), "out of memory");
  pid_t child = save_in_background(host);
  require(child > 0 && push(host), "fork");
  midden_collect(host->mutator, MIDDEN_FULL);
  int status = -1;
  require(waitpid(child, &status, 0) == child && status == 0 && length(host->kept[0]) == 101, "the child's heap");
}

/* A thread with an interpreter of its own: its heap is nobody else's, and needs no lock. */
static void *isolate(void *context) {
  const char *const *options = context;
  struct host host;
  open_host(&host, *options, "");
  for (int i = 0; i < 1000; i++) require(push(&host), "out of memory");
  midden_collect(host.mutator, MIDDEN_FULL);
  require(length(host.kept[0]) == 1000, "isolate");
  midden_heap_close(host.heap);
  return NULL;
}

static void threads(const char *options) {
  pthread_t all[2];
  for (int i = 0; i < 2; i++) require(pthread_create(&all[i], NULL, isolate, &options) == 0, "thread");
  for (int i = 0; i < 2; i++) pthread_join(all[i], NULL);
}

int main(int argc, char **argv) {
  const char *options = argc > 1 ? argv[1] : "";
  struct host host;
  open_host(&host, options, "");
  streams(&host);
  weak_arrays(&host);
  pins(&host);
  memos(&host);
  asking(&host);
  forks(&host);
  midden_heap_close(host.heap);
  limits(options);
  threads(options);
  return 0;
}
