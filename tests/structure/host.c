/* A minimal host, for tests of how the library is delivered. It allocates, collects, compares what it
 * reads back, and prints the version. It is C and C++ at the same time. */
#include <midden/midden.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct node {
  struct node *next;
  uint64_t number;
} node;

static void require(bool condition, const char *what) {
  if (condition) return;
  fprintf(stderr, "host: %s\n", what);
  exit(1);
}

static node *build(midden_mutator *mutator, midden_kind kind, uint64_t count) {
  node *list = NULL;
  MIDDEN_FRAME(mutator, list);
  for (uint64_t i = 0; i < count; i++) {
    node *cell = (node *)midden_alloc(mutator, kind);
    require(cell != NULL, "allocation");
    midden_store(mutator, cell, &cell->next, list);
    cell->number = i;
    list = cell;
  }
  MIDDEN_END(mutator);
  return list;
}

static void use(const char *collector, const char *stack) {
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  char options[64];
  snprintf(options, sizeof options, "collector=%s,stack=%s", collector, stack);
  require(midden_config_parse(&config, options, NULL) == MIDDEN_OK, "options");
  midden_heap *heap = NULL;
  require(midden_heap_open(&config, &heap, NULL) == MIDDEN_OK, "open");
  midden_mutator *mutator = midden_attach(heap, NULL, NULL);
  require(mutator != NULL, "attach");
  midden_shape shape;
  memset(&shape, 0, sizeof shape);
  shape.name = "node";
  shape.size = sizeof(node);
  shape.refs = MIDDEN_REFS_BITMAP;
  shape.bitmap = 1;
  midden_kind kind = midden_kind_define(heap, &shape, NULL);
  require(kind.id != 0, "kind");

  node *list = build(mutator, kind, 10000);
  {
    MIDDEN_FRAME(mutator, list);
    midden_status status = midden_collect(mutator, MIDDEN_FULL);
    require(status == (strcmp(collector, "none") == 0 ? MIDDEN_UNSUPPORTED : MIDDEN_OK), "collect");
    MIDDEN_END(mutator);
  }
  uint64_t expected = 10000;
  for (; list; list = list->next) require(list->number == --expected, "contents");
  require(expected == 0, "length");
  require(midden_heap_close(heap) == MIDDEN_OK, "close");
}

int main(void) {
  size_t count = 0;
  for (const char *name; (name = midden_collector_name(count)) != NULL; count++) {
    use(name, "conservative");
    use(name, "precise");
  }
  require(count > 0, "collectors");
  printf("%s\n", midden_version());
  return 0;
}
