/* The registry: precise slots and ranges, ambiguous ranges and host scanners of one heap. It knows
 * no heap: it hands what is registered to a visitor. */
#ifndef MIDDEN_ROOTS_REGISTRY_H
#define MIDDEN_ROOTS_REGISTRY_H

#include "base/arena.h"
#include "midden/roots.h"

enum root_type { ROOT_PRECISE, ROOT_AMBIGUOUS, ROOT_SCANNER };

struct root {
  enum root_type type;
  size_t count;              /* words */
  const void *first;
  midden_scan_function scan; /* ROOT_SCANNER */
  void *context;
  const char *name;          /* the host's, for reports; or NULL */
};

struct root_registry {
  struct root *roots;
  size_t count, capacity;
};

/* post: MIDDEN_OK, or NO_MEMORY and nothing is registered. */
midden_status mdn_registry_add(struct root_registry *registry, struct arena *arena, struct root root);
/* Removes the newest root that matches. post: MIDDEN_OK, or BAD_ARGUMENT if there is none. */
midden_status mdn_registry_remove(struct root_registry *registry, const void *first);
midden_status mdn_registry_remove_scanner(struct root_registry *registry, midden_scan_function scan, void *context);

/* The newest root that matches; or NULL. */
struct root *mdn_registry_find(const struct root_registry *registry, const void *first);
struct root *mdn_registry_find_scanner(const struct root_registry *registry, midden_scan_function scan, const void *context);

/* Visits the precise slots and ranges, and calls the scanners. */
void mdn_registry_visit_precise(const struct root_registry *registry, midden_visitor *visitor);
/* Visits the ambiguous ranges. */
void mdn_registry_visit_ambiguous(const struct root_registry *registry, midden_visitor *visitor);
/* Calls the scanners only: for a collector that must know their pins first. */
void mdn_registry_visit_scanners(const struct root_registry *registry, midden_visitor *visitor);

#endif
