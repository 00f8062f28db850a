/* The model's operations on the graph itself: making, linking, dropping and overwriting objects. See
 * model_internal.h. */
#include <string.h>

#include "model_internal.h"

/* Stores into one of the host's roots. */
static void set_root(model *here, uint32_t index, void *object) {
  model_root *root = &here->roots[model_below(here, MODEL_HOST_ROOTS)];
  root->holds = index;
  *root->slot = (uintptr_t)object;
}

/* Makes an edge of some reachable object point to a target. */
static void link_from_somewhere(model *here, uint32_t target, void *target_object) {
  void *owner_object;
  uint32_t owner = model_walk(here, &owner_object);
  if (owner == 0 || here->shadows[owner].edge_count == 0) return;
  uint32_t edge = (uint32_t)model_below(here, here->shadows[owner].edge_count);
  model_set_edge(here, owner, owner_object, edge, target, target_object);
}

void model_edit_make(model *here) {
  void *object, *target_object;
  uint32_t index = model_make(here, &object);
  if (index == 0) return;
  uint32_t edges = here->shadows[index].edge_count;
  size_t linked = edges == 0 ? 0 : model_below(here, edges < 6 ? edges + 1 : 6);
  for (size_t i = 0; i < linked; i++) {
    uint32_t target = model_walk(here, &target_object);
    if (target != 0) model_set_edge(here, index, object, (uint32_t)model_below(here, edges), target, target_object);
  }
  if (edges > 0 && model_below(here, 12) == 0) model_set_edge(here, index, object, (uint32_t)model_below(here, edges), 0, NULL);
  switch (model_below(here, 4)) {
    case 0: break; /* garbage at once */
    case 1: set_root(here, index, object); break;
    default: link_from_somewhere(here, index, object); break;
  }
}

void model_edit_relink(model *here) {
  void *object = NULL;
  uint32_t target = model_below(here, 3) == 0 ? 0 : model_walk(here, &object);
  link_from_somewhere(here, target, target == 0 ? NULL : object);
}

void model_edit_root(model *here) {
  void *object = NULL;
  uint32_t index = model_below(here, 2) == 0 ? 0 : model_walk(here, &object);
  set_root(here, index, index == 0 ? NULL : object);
}

void model_edit_rewrite(model *here) {
  void *object;
  uint32_t index = model_walk(here, &object);
  if (index != 0) model_rewrite(here, index, object);
}

void model_edit_churn(model *here) {
  size_t count = model_below(here, 60);
  for (size_t i = 0; i < count; i++) {
    size_t size = 16 + model_below(here, 400);
    void *garbage = midden_alloc_sized(here->mutator, here->kinds[MODEL_LEAF], size);
    if (garbage == NULL) {
      here->result->refused++;
      return;
    }
    here->allocations++;
    here->leaves_made++;
    here->requested += size;
    memset(garbage, 0xff, size);
  }
}
