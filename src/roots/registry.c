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

static midden_status remove_root(struct root_registry *registry, struct root *root) {
  if (!root) return MIDDEN_BAD_ARGUMENT;
  size_t behind = (size_t)(&registry->roots[registry->count] - root) - 1;
  memmove(root, root + 1, behind * sizeof *root);
  registry->count--;
  return MIDDEN_OK;
}

struct root *mdn_registry_find(const struct root_registry *registry, const void *first) {
  for (size_t i = registry->count; i-- > 0;) {
    struct root *root = &registry->roots[i];
    if (root->type != ROOT_SCANNER && root->first == first) return root;
  }
  return NULL;
}

struct root *mdn_registry_find_scanner(const struct root_registry *registry, midden_scan_function scan, const void *context) {
  for (size_t i = registry->count; i-- > 0;) {
    struct root *root = &registry->roots[i];
    if (root->type == ROOT_SCANNER && root->scan == scan && root->context == context) return root;
  }
  return NULL;
}

midden_status mdn_registry_remove(struct root_registry *registry, const void *first) {
  return remove_root(registry, mdn_registry_find(registry, first));
}

midden_status mdn_registry_remove_scanner(struct root_registry *registry, midden_scan_function scan, void *context) {
  return remove_root(registry, mdn_registry_find_scanner(registry, scan, context));
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
