/* Names of slots: the host's calls, and what an edge's slot is called. */
#include "debug/names.h"

#include <stdio.h>
#include <string.h>

#include "midden/graph.h"


/* Of one kind. */
struct kind_names {
  const char *const *names; /* by word; NULL: none */
  size_t count;
  size_t bytes;             /* of names and their text, one block */
  midden_slot_name_function function;
  void *context;
};

struct slot_names {
  struct kind_names *kinds; /* by kind id */
  size_t capacity;
};

/* ---- the host's calls ---- */

static struct kind_names *names_of_kind(midden_heap *heap, unsigned id) {
  if (!heap->names) heap->names = mdn_arena_allocate(&heap->core.arena, sizeof *heap->names);
  if (!heap->names) return NULL;
  void *kinds = heap->names->kinds;
  if (!mdn_arena_grow(&heap->core.arena, &kinds, &heap->names->capacity, id + 1, sizeof(struct kind_names))) return NULL;
  heap->names->kinds = kinds;
  return &heap->names->kinds[id];
}

static size_t bytes_of_names(const char *const *names, size_t count) {
  size_t bytes = count * sizeof *names;
  for (size_t i = 0; i < count; i++) bytes += names[i] ? strlen(names[i]) + 1 : 0;
  return bytes;
}

static void copy_names(const char **copies, const char *const *names, size_t count) {
  char *text = (char *)(copies + count);
  for (size_t i = 0; i < count; i++) {
    if (!names[i]) continue;
    size_t length = strlen(names[i]) + 1;
    copies[i] = memcpy(text, names[i], length);
    text += length;
  }
}

static bool kind_exists(const midden_heap *heap, midden_kind kind) { return kind.id > 0 && kind.id < heap->core.kinds.count; }

midden_status midden_kind_name_slots(midden_heap *heap, midden_kind kind, const char *const *names, size_t count) {
  if (heap_enter(heap) != MIDDEN_OK) return MIDDEN_MISUSE;
  if (!kind_exists(heap, kind) || !names || count == 0) return MIDDEN_BAD_ARGUMENT;
  struct arena *arena = &heap->core.arena;
  struct kind_names *of_kind = names_of_kind(heap, kind.id);
  size_t bytes = bytes_of_names(names, count);
  const char **copies = of_kind ? mdn_arena_allocate(arena, bytes) : NULL;
  if (!copies) return MIDDEN_NO_MEMORY;
  copy_names(copies, names, count);
  mdn_arena_free(arena, (void *)(uintptr_t)of_kind->names, of_kind->bytes);
  of_kind->names = copies;
  of_kind->count = count;
  of_kind->bytes = bytes;
  return MIDDEN_OK;
}

midden_status midden_kind_name_slots_by(midden_heap *heap, midden_kind kind, midden_slot_name_function function,
                                        void *context) {
  if (heap_enter(heap) != MIDDEN_OK) return MIDDEN_MISUSE;
  if (!kind_exists(heap, kind)) return MIDDEN_BAD_ARGUMENT;
  struct kind_names *of_kind = names_of_kind(heap, kind.id);
  if (!of_kind) return MIDDEN_NO_MEMORY;
  of_kind->function = function;
  of_kind->context = context;
  return MIDDEN_OK;
}

static midden_status name_root(struct root *root, const char *name) {
  if (!root) return MIDDEN_BAD_ARGUMENT;
  root->name = name;
  return MIDDEN_OK;
}

midden_status midden_root_name(midden_heap *heap, const void *first, const char *name) {
  if (heap_enter(heap) != MIDDEN_OK) return MIDDEN_MISUSE;
  return name_root(mdn_registry_find(&heap->core.registry, first), name);
}

midden_status midden_root_scanner_name(midden_heap *heap, midden_scan_function scan, void *context, const char *name) {
  if (heap_enter(heap) != MIDDEN_OK) return MIDDEN_MISUSE;
  return name_root(mdn_registry_find_scanner(&heap->core.registry, scan, context), name);
}

/* ---- slots ---- */

static bool name_by_host(const struct graph *graph, const struct graph_edge *edge, size_t word, struct slot_name *name) {
  const struct slot_names *names = graph->heap->names;
  unsigned id = (uint16_t)graph_entry(graph, edge->from);
  if (!names || id >= names->capacity) return false;
  const struct kind_names *of_kind = &names->kinds[id];
  if (word < of_kind->count && of_kind->names[word]) {
    snprintf(name->text, sizeof name->text, ".%s", of_kind->names[word]);
    return true;
  }
  if (!of_kind->function) return false;
  midden_slot slot = {(const void *)graph_cell(graph, edge->from), edge->slot, edge->index};
  char text[sizeof name->text - 1] = "";
  of_kind->function(of_kind->context, &slot, text, sizeof text);
  text[sizeof text - 1] = 0;
  if (!*text) return false;
  snprintf(name->text, sizeof name->text, "%s%s", *text == '[' ? "" : ".", text);
  return true;
}

static void name_element(struct slot_name *name, size_t number) {
  name->element = true;
  name->number = number;
  snprintf(name->text, sizeof name->text, "[%zu]", number);
}

/* By the layout: elements count from 0 behind the fixed part. */
static void name_by_layout(const struct kind *kind, size_t offset, struct slot_name *name) {
  size_t behind = offset - kind->fixed_bytes, element = kind->element_bytes;
  bool elements = kind->layout == MIDDEN_REFS_ELEMENTS || kind->layout == MIDDEN_REFS_WEAK || kind->layout == MIDDEN_REFS_PAIRS;
  if (kind->fixed_size || (elements && offset < kind->fixed_bytes)) {
    snprintf(name->text, sizeof name->text, "+%zu", offset);
  } else if (kind->layout == MIDDEN_REFS_PAIRS) {
    snprintf(name->text, sizeof name->text, "[%zu].%s", behind / 16, behind % 16 ? "value" : "key");
  } else if (kind->layout == MIDDEN_REFS_ELEMENTS && element > 8) {
    snprintf(name->text, sizeof name->text, "[%zu]+%zu", behind / element, behind % element);
  } else {
    name_element(name, behind / 8);
  }
}

void mdn_slot_name(const struct graph *graph, const struct graph_edge *edge, struct slot_name *name) {
  *name = (struct slot_name){.element = false};
  size_t offset = (uintptr_t)edge->slot - graph_cell(graph, edge->from);
  bool inside = edge->slot && offset < graph_size(graph, edge->from);
  if (name_by_host(graph, edge, inside ? offset / sizeof(midden_word) : SIZE_MAX, name)) return;
  if (inside) name_by_layout(graph_kind(graph, edge->from), offset, name);
  else name_element(name, edge->index);
}
