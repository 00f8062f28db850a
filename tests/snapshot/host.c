/* A host with a known little graph: writes a snapshot of it, changes it, collects, and writes another.
 *
 *   host OPTIONS FIRST SECOND [identify]
 *
 * What is in the snapshots is checked by check.py beside this file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "midden/midden.h"

enum { ELEMENTS = 8 };

struct table {
  uintptr_t count;
  void *buckets;
};
struct entry {
  void *key, *value;
};

static struct {
  midden_heap *heap;
  midden_mutator *mutator;
  midden_kind table, vector, entry, text, pairs;
  midden_word globals[4]; /* the table, a weak table, its key, a list */
  midden_word weak;
} host;

static void require(bool condition, const char *what) {
  if (condition) return;
  fprintf(stderr, "host: %s\n", what);
  exit(1);
}

static midden_kind define(const midden_shape *shape, const char *const *names, size_t count) {
  midden_kind kind = midden_kind_define(host.heap, shape, NULL);
  require(kind.id != 0, shape->name);
  if (count) require(midden_kind_name_slots(host.heap, kind, names, count) == MIDDEN_OK, "names");
  return kind;
}

static void open_host(const char *options) {
  static const char *const table_names[] = {"count", "buckets"}, *const entry_names[] = {"key", "value"};
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  require(midden_config_parse(&config, options, NULL) == MIDDEN_OK, "options");
  require(midden_heap_open(&config, &host.heap, NULL) == MIDDEN_OK, "open");
  host.mutator = midden_attach(host.heap, NULL, NULL);
  require(host.mutator != NULL, "attach");
  host.table = define(&(midden_shape){.name = "table", .size = 16, .refs = MIDDEN_REFS_BITMAP, .bitmap = 2}, table_names, 2);
  host.vector = define(&(midden_shape){.name = "vector", .refs = MIDDEN_REFS_ALL}, NULL, 0);
  host.entry = define(&(midden_shape){.name = "entry", .size = 16, .refs = MIDDEN_REFS_ALL}, entry_names, 2);
  host.text = define(&(midden_shape){.name = "text"}, NULL, 0);
  host.pairs = define(&(midden_shape){.name = "pairs", .refs = MIDDEN_REFS_PAIRS}, NULL, 0);
  require(midden_root_range_add(host.heap, host.globals, 4) == MIDDEN_OK, "root");
  require(midden_root_name(host.heap, host.globals, "globals") == MIDDEN_OK, "root name");
  require(midden_weak_add(host.heap, &host.weak, MIDDEN_WEAK_SHORT) == MIDDEN_OK, "weak");
}

static void *make_text(const char *content) {
  char *text = midden_alloc_sized(host.mutator, host.text, 64);
  require(text != NULL, "text");
  strcpy(text, content);
  return text;
}

static void *bucket(size_t index) { return ((void **)((struct table *)host.globals[0])->buckets)[index]; }

static void put(size_t index, const char *key, const char *value) {
  struct entry *entry = NULL;
  void *text = NULL;
  MIDDEN_FRAME(host.mutator, entry, text);
  entry = midden_alloc(host.mutator, host.entry);
  text = make_text(key);
  midden_store(host.mutator, entry, &entry->key, text);
  text = make_text(value);
  midden_store(host.mutator, entry, &entry->value, text);
  void **buckets = ((struct table *)host.globals[0])->buckets;
  midden_store(host.mutator, buckets, &buckets[index], entry);
  MIDDEN_END(host.mutator);
}

static void build(void) {
  host.globals[0] = (uintptr_t)midden_alloc(host.mutator, host.table);
  void *buckets = midden_alloc_sized(host.mutator, host.vector, ELEMENTS * sizeof(void *));
  midden_store(host.mutator, (void *)host.globals[0], &((struct table *)host.globals[0])->buckets, buckets);
  put(3, "three", "said \"hi\"\\\n\x01 \xc3\xa9 \xff \xed\xa0\x80");
  put(5, "five", "gone later");
  host.weak = (uintptr_t)bucket(5);
  require(midden_external_add(host.mutator, ((struct entry *)bucket(3))->value, 5000) == MIDDEN_OK, "external");
  host.globals[1] = (uintptr_t)midden_alloc_sized(host.mutator, host.pairs, 16);
  host.globals[2] = (uintptr_t)make_text("the key");
  void *held = make_text("held by the key");
  midden_word *pairs = (midden_word *)host.globals[1];
  pairs[0] = host.globals[2], pairs[1] = (uintptr_t)held;
  midden_written(host.mutator, pairs, pairs, 2);
}

static void change(void) {
  void **buckets = ((struct table *)host.globals[0])->buckets;
  midden_store(host.mutator, buckets, &buckets[5], NULL);
  for (int i = 0; i < 100; i++) {
    struct entry *entry = midden_alloc(host.mutator, host.entry);
    midden_store(host.mutator, entry, &entry->value, (void *)host.globals[3]);
    host.globals[3] = (uintptr_t)entry;
  }
  midden_collect(host.mutator, MIDDEN_FULL); /* none refuses */
}

static void label(void *context, const void *object, size_t size, uint16_t kind_id, midden_label *label) {
  (void)context, (void)size;
  if (kind_id != host.text.id) return;
  label->type = MIDDEN_NODE_STRING;
  snprintf(label->name, sizeof label->name, "%s", (const char *)object);
}

static void take(const char *path, bool identify) {
  midden_snapshot_options options = {label, NULL, identify};
  midden_error error = {MIDDEN_OK, ""};
  midden_status status = midden_snapshot_file(host.heap, &options, path, &error);
  require(status == MIDDEN_OK, error.message);
}

int main(int count, char **arguments) {
  require(count >= 4, "usage: host OPTIONS FIRST SECOND [identify]");
  bool identify = count > 4 && strcmp(arguments[4], "identify") == 0;
  open_host(arguments[1]);
  build();
  take(arguments[2], identify);
  change();
  take(arguments[3], identify);
  require(midden_verify(host.heap, NULL) == MIDDEN_OK, "verify");
  require(midden_heap_close(host.heap) == MIDDEN_OK, "close");
  return 0;
}
