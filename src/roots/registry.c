/* The registry of roots: see registry.h. */
#include "roots/registry.h"

#include <string.h>

midden_status mdn_registry_add(struct root_registry *registry, struct arena *arena, struct root root) {
  void *table = registry->roots;
  if (!mdn_arena_grow(arena, &table, &registry->capacity, registry->count + 1, sizeof root)) {
    return MIDDEN_NO_MEMORY;
  }
  registry->roots = table;
  registry->roots[registry->count++] = root;
  return MIDDEN_OK;
}

static midden_status remove_at(struct root_registry *registry, size_t index) {
  memmove(&registry->roots[index], &registry->roots[index + 1],
          (registry->count - index - 1) * sizeof registry->roots[0]);
  registry->count--;
  return MIDDEN_OK;
}

midden_status mdn_registry_remove(struct root_registry *registry, const void *first) {
  for (size_t i = registry->count; i-- > 0;) {
    if (registry->roots[i].type != ROOT_SCANNER && registry->roots[i].first == first) return remove_at(registry, i);
  }
  return MIDDEN_BAD_ARGUMENT;
}

midden_status mdn_registry_remove_scanner(struct root_registry *registry, midden_scan_function scan, void *context) {
  for (size_t i = registry->count; i-- > 0;) {
    const struct root *root = &registry->roots[i];
    if (root->type == ROOT_SCANNER && root->scan == scan && root->context == context) return remove_at(registry, i);
  }
  return MIDDEN_BAD_ARGUMENT;
}

void mdn_registry_visit_precise(const struct root_registry *registry, midden_visitor *visitor) {
  for (size_t i = 0; i < registry->count; i++) {
    const struct root *root = &registry->roots[i];
    if (root->type == ROOT_PRECISE) visitor->range(visitor, (midden_word *)(uintptr_t)root->first, root->count);
  }
  mdn_registry_visit_scanners(registry, visitor);
}

void mdn_registry_visit_ambiguous(const struct root_registry *registry, midden_visitor *visitor) {
  for (size_t i = 0; i < registry->count; i++) {
    const struct root *root = &registry->roots[i];
    if (root->type == ROOT_AMBIGUOUS) visitor->ambiguous(visitor, (const midden_word *)root->first, root->count);
  }
}

void mdn_registry_visit_scanners(const struct root_registry *registry, midden_visitor *visitor) {
  for (size_t i = 0; i < registry->count; i++) {
    const struct root *root = &registry->roots[i];
    if (root->type == ROOT_SCANNER) root->scan(visitor, root->context);
  }
}
