/* midden-tour: bugs that hosts of a collected heap have, planted one after another, and what midden says of each.
 *
 *   midden-tour [--directory=DIRECTORY] [STOP...]
 *   midden-tour --list
 *
 * Each stop runs in a child process, because the first of them ends in a fault. It prints what was planted, the
 * option or the call that finds it, and the heap's own words. DIRECTORY, the current one at first, receives the files
 * that a stop writes. What each tool is for: docs/debugging.md.
 *
 *   stops_references.c   a reference that the heap does not know of, or that is none
 *   stops_memory.c       what is alive, what grows, what is fragmented
 *   stops_time.c         how long collections take, and who allocates
 *   check.py             the same as a test */
#include "tour.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

const char *tour_directory = ".";

/* The first stop's fault is its report: AddressSanitizer would put its own in place of it. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "handle_segv=0:allow_user_segv_handler=1:detect_stack_use_after_return=0"; }

/* ---- the host ---- */

void must(midden_status status, const midden_error *error) {
  if (status == MIDDEN_OK) return;
  printf("midden-tour: %s: %s\n", midden_status_name(status), error ? error->message : "");
  exit(1);
}

static void must_be(bool condition, const char *what) {
  midden_error error = {MIDDEN_NO_MEMORY, ""};
  snprintf(error.message, sizeof error.message, "%s", what);
  if (!condition) must(error.status, &error);
}

static bool print(void *context, const char *bytes, size_t count) {
  (void)context;
  return fwrite(bytes, 1, count, stdout) == count;
}

const midden_writer tour_output = {print, NULL};

void host_open(struct host *host, const struct stop *stop) {
  static const char *const slots[] = {"key", "value"};
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  midden_error error;
  /* Under AddressSanitizer or valgrind the heap's own tools are to speak, not these. */
  must(midden_config_parse(&config, "memory-checker=no", &error), &error);
  must(midden_config_parse(&config, stop->options, &error), &error);
  midden_status status = midden_heap_open(&config, &host->heap, &error);
  if (status == MIDDEN_UNSUPPORTED && config.guard_sites > 0) {
    printf("%s\n\n", error.message);
    config.guard_sites = 0;
    status = midden_heap_open(&config, &host->heap, &error);
  }
  if (status == MIDDEN_UNSUPPORTED) {
    printf("left out in this build: %s\n", error.message);
    exit(TOUR_LEFT_OUT);
  }
  must(status, &error);
  midden_shape entry = {.name = "entry", .size = sizeof(struct entry), .refs = MIDDEN_REFS_ALL};
  midden_shape vector = {.name = "vector", .refs = MIDDEN_REFS_ALL};
  midden_shape string = {.name = "string", .refs = MIDDEN_REFS_NONE};
  host->mutator = midden_attach(host->heap, NULL, &error);
  must_be(host->mutator != NULL, "attach");
  host->entry = midden_kind_define(host->heap, &entry, &error);
  host->vector = midden_kind_define(host->heap, &vector, &error);
  host->string = midden_kind_define(host->heap, &string, &error);
  must(midden_root_add(host->heap, &host->cache), NULL);
  must(midden_root_add(host->heap, &host->last), NULL);
  must(midden_root_name(host->heap, &host->cache, "cache"), NULL);
  must(midden_root_name(host->heap, &host->last, "last"), NULL);
  must(midden_kind_name_slots(host->heap, host->entry, slots, 2), NULL);
}

void host_close(struct host *host) { must(midden_heap_close(host->heap), NULL); }
void host_collect(struct host *host) { midden_collect(host->mutator, MIDDEN_FULL); }

void *host_entry(struct host *host) {
  void *entry = midden_alloc(host->mutator, host->entry);
  must_be(entry != NULL, "an entry");
  return entry;
}
void *host_vector(struct host *host, size_t words) {
  void *vector = midden_alloc_sized(host->mutator, host->vector, words * sizeof(midden_word));
  must_be(vector != NULL, "a vector");
  return vector;
}
void *host_string(struct host *host, size_t bytes) {
  void *string = midden_alloc_sized(host->mutator, host->string, bytes);
  must_be(string != NULL, "a string");
  return string;
}

/* ---- the tour ---- */

static const struct stop *const tables[] = {reference_stops, memory_stops, time_stops};
enum { TABLES = sizeof tables / sizeof tables[0] };

static const struct stop *find_stop(const char *name) {
  for (size_t t = 0; t < TABLES; t++)
    for (const struct stop *stop = tables[t]; stop->name; stop++)
      if (!strcmp(stop->name, name)) return stop;
  return NULL;
}

/* What the heap reports goes to standard error, and so to the same place as the rest. */
static void run_in_child(const struct stop *stop) {
  const struct rlimit no_core = {0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  dup2(STDOUT_FILENO, STDERR_FILENO);
  setvbuf(stdout, NULL, _IONBF, 0);
  stop->run(stop);
  exit(0);
}

/* post: whether the stop ended as it should, or is left out. */
static bool visit(const struct stop *stop) {
  int status;
  printf("== %s: %s\n", stop->name, stop->title);
  printf("planted:  %s\n          %s\n", stop->planted[0], stop->planted[1]);
  printf("found by: %s\noptions:  %s\n\n", stop->tool, stop->options);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) run_in_child(stop);
  if (child < 0 || waitpid(child, &status, 0) != child) {
    perror("midden-tour");
    return false;
  }
  if (WIFSIGNALED(status)) printf("(the process ended by signal %d)\n", WTERMSIG(status));
  printf("\n");
  if (WIFSIGNALED(status)) return WTERMSIG(status) == stop->signal;
  return WEXITSTATUS(status) == TOUR_LEFT_OUT || (WEXITSTATUS(status) == 0 && stop->signal == 0);
}

static bool visit_all(void) {
  bool good = true;
  for (size_t t = 0; t < TABLES; t++)
    for (const struct stop *stop = tables[t]; stop->name; stop++) good &= visit(stop);
  return good;
}

static void list_stops(void) {
  for (size_t t = 0; t < TABLES; t++)
    for (const struct stop *stop = tables[t]; stop->name; stop++) printf("%-12s %s\n", stop->name, stop->title);
}

int main(int count, char **arguments) {
  static const char directory[] = "--directory=";
  int i = 1;
  bool good = true;
  if (i < count && !strcmp(arguments[i], "--list")) {
    list_stops();
    return 0;
  }
  if (i < count && !strncmp(arguments[i], directory, sizeof directory - 1)) tour_directory = arguments[i++] + sizeof directory - 1;
  if (i == count) good = visit_all();
  for (; i < count; i++) {
    const struct stop *stop = find_stop(arguments[i]);
    if (!stop) {
      fprintf(stderr, "midden-tour: no stop is called %s; the stops are:\n", arguments[i]);
      list_stops();
      return 2;
    }
    good &= visit(stop);
  }
  return good ? 0 : 1;
}
