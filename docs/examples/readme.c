/* The ten lines of README.md, as a program. */
#include <midden/midden.h>

struct pair {
  void *car, *cdr;
};

int main(void) {
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  midden_config_parse(&config, "collector=copying,heap-limit=256M", NULL);
  midden_heap *heap;
  if (midden_heap_open(&config, &heap, NULL) != MIDDEN_OK) return 1;
  midden_mutator *mutator = midden_attach(heap, NULL, NULL); /* scan the whole C stack */
  midden_shape shape = {.name = "pair", .size = sizeof(struct pair), .refs = MIDDEN_REFS_ALL};
  midden_kind pair_kind = midden_kind_define(heap, &shape, NULL);

  struct pair *list = NULL; /* found by the scan */
  for (int i = 0; i < 1000000; i++) {
    struct pair *pair = midden_alloc(mutator, pair_kind); /* inlined; may collect */
    if (!pair) return 1;
    midden_store(mutator, pair, &pair->cdr, list);
    list = i % 100 ? pair : NULL; /* drop it now and then */
  }
  midden_heap_close(heap);
  return 0;
}
