/* The map in docs/debugging.md: a fragmented heap, before and after it is defragmented.
 *
 *   docs-map [OPTIONS [FILE.html]] */
#include <stdio.h>

#include "midden/midden.h"

struct pair {
  struct pair *car, *cdr;
};

static int save_maps(midden_heap *heap, midden_mutator *mutator, const char *path) {
  midden_error error = {MIDDEN_OK, ""};
  midden_map *maps[2] = {NULL, NULL};
  maps[0] = midden_map_capture(heap, "before", &error);
  midden_defragment(mutator, SIZE_MAX, NULL);
  maps[1] = midden_map_capture(heap, "after", &error);
  if (!maps[1] || midden_map_save(maps, 2, path, &error) != MIDDEN_OK) fprintf(stderr, "%s\n", error.message);
  int failed = !maps[1] || error.status != MIDDEN_OK;
  for (int i = 0; i < 2; i++) midden_map_free(maps[i]);
  return failed;
}

int main(int argc, char **argv) {
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  midden_error error;
  midden_heap *heap;
  if (argc > 1 && midden_config_parse(&config, argv[1], &error) != MIDDEN_OK) return 2;
  if (midden_heap_open(&config, &heap, &error) != MIDDEN_OK) return 1;
  midden_mutator *mutator = midden_attach(heap, NULL, NULL);
  static struct pair *kept[2000];
  midden_kind pair_kind = midden_kind_define(
      heap, &(midden_shape){.name = "pair", .size = sizeof(struct pair), .refs = MIDDEN_REFS_ALL}, NULL);
  midden_root_range_add(heap, kept, sizeof kept / sizeof kept[0]);
  for (int i = 0; i < 40000; i++) {
    struct pair *pair = midden_alloc(mutator, pair_kind);
    if (!pair) return 1;
    if (i % 20 == 0) kept[i / 20] = pair;
  }
  int failed = save_maps(heap, mutator, argc > 2 ? argv[2] : "/dev/null");
  midden_heap_close(heap);
  return failed;
}
