/* A small host for gdb_check.py: a heap with known content, stopped in stop_here. */
#include <stdio.h>
#include <string.h>

#include "midden/midden.h"

struct node {
  struct node *next;
  void *payload;
};

struct node *list_head; /* a registered root */
void *last_payload, *large, *block, *freed, *on_stack, *by_key, *unreachable;
midden_kind node_kind, text_kind, table_kind;
midden_heap *the_heap;

static __attribute__((noinline)) void stop_here(midden_mutator *mutator) { __asm__ volatile("" : : "r"(mutator) : "memory"); }

/* Holds an object in a local only. */
static __attribute__((noinline)) void hold_on_stack(midden_mutator *mutator) {
  void *volatile local = midden_alloc_sized(mutator, text_kind, 200);
  on_stack = (void *)~(uintptr_t)local; /* in disguise: only the stack has it */
  stop_here(mutator);
  memset((void *)local, 0, 1);
}

static void define_kinds(midden_heap *heap) {
  midden_shape node = {.name = "node", .size = sizeof(struct node), .refs = MIDDEN_REFS_ALL};
  midden_shape text = {.name = "text"};
  midden_shape table = {.name = "table", .refs = MIDDEN_REFS_PAIRS};
  node_kind = midden_kind_define(heap, &node, NULL);
  text_kind = midden_kind_define(heap, &text, NULL);
  table_kind = midden_kind_define(heap, &table, NULL);
}

/* Of thirty texts two are pinned: what lies between them dies. */
static __attribute__((noinline)) void make_garbage(midden_mutator *mutator) {
  for (int i = 0; i < 30; i++) {
    void *text = midden_alloc_sized(mutator, text_kind, 200);
    if (i == 5) freed = (void *)~(uintptr_t)text;
    if (i == 3 || i == 8) midden_pin(mutator, text);
  }
}

/* A list of ten nodes with texts; of the last one the address is kept in disguise. */
static void make_list(midden_mutator *mutator) {
  for (int i = 0; i < 10; i++) {
    struct node *node = midden_alloc(mutator, node_kind);
    midden_store(mutator, node, &node->next, list_head);
    list_head = node;
    void *text = midden_alloc_sized(mutator, text_kind, 40);
    midden_store(mutator, list_head, &list_head->payload, text);
    if (i == 0) last_payload = (void *)~(uintptr_t)text;
  }
}

/* The head's text becomes the key of an ephemeron, whose value nothing else holds. */
static void make_table(midden_mutator *mutator, midden_handle table) {
  void *value = midden_alloc_sized(mutator, text_kind, 80);
  void **pairs = (void **)*table;
  midden_store(mutator, pairs, &pairs[0], list_head->payload);
  midden_store(mutator, pairs, &pairs[1], value);
  by_key = (void *)~(uintptr_t)value;
}

int main(void) {
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  midden_config_parse(&config, "heap-limit=16M,heap-initial=8M", NULL);
  if (midden_heap_open(&config, &the_heap, NULL) != MIDDEN_OK) return 1;
  midden_heap *heap = the_heap;
  midden_mutator *mutator = midden_attach(heap, NULL, NULL);
  define_kinds(heap);
  midden_root_add(heap, &list_head);
  make_garbage(mutator);
  midden_collect(mutator, MIDDEN_FULL);
  make_list(mutator);
  midden_scope_open(mutator);
  make_table(mutator, midden_handle_new(mutator, midden_alloc_sized(mutator, table_kind, 16)));
  large = (void *)~(uintptr_t)midden_alloc_sized(mutator, text_kind, 100000);
  unreachable = (void *)~(uintptr_t)midden_alloc_sized(mutator, text_kind, 60000);
  block = midden_block_alloc(mutator, 48);
  midden_handle_new(mutator, (void *)~(uintptr_t)large);
  hold_on_stack(mutator);
  midden_heap_close(heap);
  return 0;
}
