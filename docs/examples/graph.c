/* Asking the heap why something is alive and what takes the memory: the code of docs/debugging.md.
 * usage: graph OPTIONS [SNAPSHOT] */
#include <midden/midden.h>
#include <stdio.h>
#include <stdlib.h>

struct entry {
  void *key, *value;
};

static struct {
  midden_heap *heap;
  midden_mutator *mutator;
  midden_kind entry, vector;
  midden_word *cache;
} host;

static void name_things(void) {
  static const char *const slots[] = {"key", "value"};
  midden_kind_name_slots(host.heap, host.entry, slots, 2);
  midden_root_name(host.heap, &host.cache, "cache");
}

static bool print(void *context, const char *bytes, size_t count) {
  return fwrite(bytes, 1, count, context) == count;
}

static void ask(void *object) {
  midden_writer to_stdout = {print, stdout};
  midden_why(host.heap, object, &to_stdout, NULL);
  midden_memory_report(host.heap, 10, &to_stdout, NULL);
  midden_census_growth(host.heap, &to_stdout, NULL);
}

static void write_snapshot(const char *path) {
  midden_error error;
  if (midden_snapshot_file(host.heap, NULL, path, &error) != MIDDEN_OK) fprintf(stderr, "%s\n", error.message);
}

static void open_host(const char *options) {
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  midden_error error;
  midden_shape entry = {.name = "entry", .size = sizeof(struct entry), .refs = MIDDEN_REFS_ALL};
  midden_shape vector = {.name = "vector", .refs = MIDDEN_REFS_ALL};
  if (midden_config_parse(&config, options, &error) != MIDDEN_OK || midden_heap_open(&config, &host.heap, &error) != MIDDEN_OK) {
    fprintf(stderr, "%s\n", error.message);
    exit(2);
  }
  host.mutator = midden_attach(host.heap, NULL, NULL);
  host.entry = midden_kind_define(host.heap, &entry, NULL);
  host.vector = midden_kind_define(host.heap, &vector, NULL);
  midden_root_add(host.heap, &host.cache);
}

/* What nobody takes out again. */
static void remember(size_t slot) {
  struct entry *entry = midden_alloc(host.mutator, host.entry);
  midden_store(host.mutator, host.cache, &host.cache[slot], entry);
}

int main(int count, char **arguments) {
  open_host(count > 1 ? arguments[1] : "census=5");
  name_things();
  host.cache = midden_alloc_sized(host.mutator, host.vector, 100 * sizeof *host.cache);
  for (size_t i = 0; i < 100; i++) {
    remember(i);
    if (i % 20 == 19) midden_collect(host.mutator, MIDDEN_FULL);
  }
  void *value = midden_alloc(host.mutator, host.entry);
  struct entry *entry = (struct entry *)host.cache[17];
  midden_store(host.mutator, entry, &entry->value, value);
  ask(entry->value);
  if (count > 2) write_snapshot(arguments[2]);
  return midden_heap_close(host.heap) == MIDDEN_OK ? 0 : 1;
}
