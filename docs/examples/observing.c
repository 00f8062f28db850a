/* What a heap says of its time and its memory: the code of docs/debugging.md, run by a test.
 *
 * usage: observing [OPTIONS] */
#include <midden/midden.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A toy interpreter's stack of calls, innermost last. */
struct call {
  const char *function, *file;
  int line;
};

struct interpreter {
  midden_heap *heap;
  midden_mutator *mutator;
  midden_kind pair;
  void *list; /* a root */
  struct call calls[16];
  size_t depth;
};

static void require(bool condition, const char *what) {
  if (condition) return;
  fprintf(stderr, "observing: %s\n", what);
  exit(1);
}

/* ---- the guest's stack ---- */

static size_t guest_stack(void *context, midden_mutator *mutator, midden_guest_frame *frames, size_t capacity) {
  const struct interpreter *interpreter = context;
  size_t count = 0;
  (void)mutator;
  for (size_t i = interpreter->depth; i-- > 0 && count < capacity; count++) {
    const struct call *call = &interpreter->calls[i];
    frames[count] = (midden_guest_frame){call->function, call->file, call->line};
  }
  return count;
}

static void open_with(struct interpreter *interpreter, midden_config *config) {
  midden_error error = {MIDDEN_OK, ""};
  require(midden_heap_open(config, &interpreter->heap, &error) == MIDDEN_OK, error.message);
  interpreter->mutator = midden_attach(interpreter->heap, NULL, &error);
  require(interpreter->mutator != NULL, error.message);
  midden_shape pair = {.name = "pair", .size = 16, .refs = MIDDEN_REFS_ALL};
  interpreter->pair = midden_kind_define(interpreter->heap, &pair, &error);
  require(interpreter->pair.id != 0, error.message);
  require(midden_root_add(interpreter->heap, &interpreter->list) == MIDDEN_OK, "root");
  midden_profile_guest(interpreter->heap, guest_stack, interpreter);
}

/* Builds a list, as if a program did. */
static void interpret(struct interpreter *interpreter, size_t pairs) {
  interpreter->calls[interpreter->depth++] = (struct call){"make-list", "list.scm", 3};
  for (size_t i = 0; i < pairs; i++) {
    void **pair = midden_alloc(interpreter->mutator, interpreter->pair);
    require(pair != NULL, "out of memory");
    midden_store(interpreter->mutator, pair, &pair[0], i % 1000 ? interpreter->list : NULL);
    interpreter->list = pair;
  }
  interpreter->depth--;
}

/* ---- pauses ---- */

static void print_pauses(midden_heap *heap) {
  midden_pauses full;
  if (midden_pauses_read(heap, MIDDEN_FULL, &full) != MIDDEN_OK) return;
  printf("%llu full collections, %.3f ms; half of them took at most %.3f ms, and the longest %.3f ms\n",
         (unsigned long long)full.collections, (double)full.total_ns / 1e6, (double)full.p50_ns / 1e6,
         (double)full.longest_ns / 1e6);
}

/* ---- the monitor ---- */

/* Called now and then. */
static void print_page(midden_monitor *monitor) {
  char page[2048];
  midden_monitor_text(monitor, 5, page, sizeof page);
  fputs(page, stdout);
}

/* ---- the profile ---- */

static void save_profile(midden_heap *heap, const char *path) {
  midden_error error;
  if (midden_profile_save(heap, path, &error) != MIDDEN_OK) fprintf(stderr, "%s\n", error.message);
}

int main(int count, char **arguments) {
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  midden_error error = {MIDDEN_OK, ""};
  midden_status status = midden_config_parse(&config, count > 1 ? arguments[1] : "", &error);
  if (status == MIDDEN_OK) status = midden_config_parse(&config, "profile=16K", &error);
  require(status == MIDDEN_OK, error.message);
  static struct interpreter interpreter;
  open_with(&interpreter, &config);
  interpreter.calls[interpreter.depth++] = (struct call){"main", "main.scm", 1};
  midden_monitor *monitor;
  require(midden_monitor_open(interpreter.heap, &monitor, &error) == MIDDEN_OK, error.message);
  for (int round = 0; round < 3; round++) {
    interpret(&interpreter, 20000);
    print_page(monitor);
  }
  print_pauses(interpreter.heap);
  char path[] = "/tmp/midden-observing-XXXXXX";
  require(mkstemp(path) >= 0, "a file for the profile");
  save_profile(interpreter.heap, path);
  remove(path);
  midden_profile_totals totals;
  require(midden_profile_read(interpreter.heap, interpreter.pair.id, &totals) == MIDDEN_OK, "profile");
  require(totals.samples > 10, "samples");
  require(midden_heap_close(interpreter.heap) == MIDDEN_OK, "close");
  return 0;
}
