/* The model's run: opening, the random operations, closing. See model.h and model_internal.h. */
#include "model.h"

#include <stdlib.h>
#include <string.h>

#include "model_internal.h"

/* ---- Roots ---- */

static void scan(midden_visitor *visitor, void *context) {
  model *here = context;
  midden_word *scanned = &here->host[MODEL_RANGE_ROOTS + MODEL_SINGLE_ROOTS];
  const midden_word *held = scanned + MODEL_SCANNED_ROOTS;
  midden_visit(visitor, &scanned[0]);
  midden_visit_range(visitor, &scanned[1], MODEL_SCANNED_ROOTS - 1);
  for (size_t i = 0; i < MODEL_HELD_ROOTS; i++) midden_visit_pinned(visitor, (const void *)held[i]);
}

static bool push_root(model *here, midden_word *slot, uint32_t holds) {
  if (here->root_count == MODEL_MAXIMUM_ROOTS) return false;
  here->roots[here->root_count++] = (model_root){slot, holds, false};
  return true;
}

static void register_roots(model *here) {
  midden_status status = midden_root_range_add(here->heap, here->host, MODEL_RANGE_ROOTS);
  for (size_t i = 0; i < MODEL_SINGLE_ROOTS && status == MIDDEN_OK; i++)
    status = midden_root_add(here->heap, &here->host[MODEL_RANGE_ROOTS + i]);
  if (status == MIDDEN_OK) status = midden_root_scanner_add(here->heap, scan, here);
  if (status != MIDDEN_OK) model_fail(here, "registering roots: %s", midden_status_name(status));
  for (size_t i = 0; i < MODEL_HOST_ROOTS; i++) push_root(here, &here->host[i], 0);
  for (size_t i = 0; i < MODEL_PINS; i++) push_root(here, &here->pins[i], 0);
}

/* ---- Operations ---- */

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

static void make(model *here) {
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

static void relink(model *here) {
  void *object = NULL;
  uint32_t target = model_below(here, 3) == 0 ? 0 : model_walk(here, &object);
  link_from_somewhere(here, target, target == 0 ? NULL : object);
}

static void change_root(model *here) {
  void *object = NULL;
  uint32_t index = model_below(here, 2) == 0 ? 0 : model_walk(here, &object);
  set_root(here, index, index == 0 ? NULL : object);
}

static void rewrite(model *here) {
  void *object;
  uint32_t index = model_walk(here, &object);
  if (index != 0) model_rewrite(here, index, object);
}

static void churn(model *here) {
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

/* Asks an object for its hash, or has it keep more or less outside the heap. */
static void use_side_tables(model *here) {
  void *object;
  uint32_t index = model_walk(here, &object);
  if (index == 0) return;
  shadow *at = &here->shadows[index];
  size_t bytes = model_below(here, 2000);
  switch (model_below(here, 3)) {
    case 0: {
      uint64_t identity = midden_identity_hash(here->mutator, object);
      if (identity == 0 || (at->identity != 0 && at->identity != identity)) model_fail(here, "an identity hash has changed");
      at->identity = identity;
      break;
    }
    case 1: {
      midden_status status = midden_external_add(here->mutator, object, bytes);
      if (status == MIDDEN_OK) at->external += bytes;
      else if (status != MIDDEN_NO_MEMORY) model_fail(here, "midden_external_add: %s", midden_status_name(status));
      break;
    }
    default: {
      midden_status status = midden_external_remove(here->mutator, object, bytes);
      if (at->external >= bytes && (bytes > 0 || at->external > 0) && status != MIDDEN_OK)
        model_fail(here, "midden_external_remove: %s", midden_status_name(status));
      if (at->external < bytes && status != MIDDEN_BAD_ARGUMENT)
        model_fail(here, "more was removed than is counted");
      if (status == MIDDEN_OK) at->external -= bytes;
    }
  }
}

/* Takes, changes or gives back a raw block. */
static void use_block(model *here) {
  size_t i = model_below(here, MODEL_BLOCKS);
  unsigned char *bytes = here->blocks[i].bytes;
  for (size_t at = 0; bytes != NULL && at < here->blocks[i].size; at++) {
    if (bytes[at] == (unsigned char)(here->blocks[i].seed + at)) continue;
    model_fail(here, "block %zu of %zu bytes has changed at %zu", i, here->blocks[i].size, at);
    return;
  }
  if (bytes != NULL && model_below(here, 3) == 0) {
    if (midden_block_free(here->mutator, bytes) != MIDDEN_OK) model_fail(here, "midden_block_free");
    here->blocks[i].bytes = NULL;
    return;
  }
  size_t size = 1 + model_below(here, model_below(here, 10) == 0 ? 40000 : 600), old = here->blocks[i].size;
  unsigned char *changed = midden_block_realloc(here->mutator, bytes, size);
  if (changed == NULL) return;
  for (size_t at = 0; bytes != NULL && at < size && at < old; at++) {
    if (changed[at] != (unsigned char)(here->blocks[i].seed + at)) model_fail(here, "block %zu is not kept by realloc", i);
  }
  here->blocks[i].bytes = changed;
  here->blocks[i].size = size;
  here->blocks[i].seed = (unsigned char)model_below(here, 256);
  for (size_t at = 0; at < size; at++) changed[at] = (unsigned char)(here->blocks[i].seed + at);
}

/* Takes one pin away, and forgets the object with the last; or pins another. */
static void unpin(model *here, size_t i) {
  midden_status status = midden_unpin(here->mutator, (void *)here->pins[i]);
  if (status != MIDDEN_OK) model_fail(here, "midden_unpin: %s", midden_status_name(status));
  if (--here->pin_counts[i] > 0) return;
  here->pins[i] = 0;
  here->roots[MODEL_HOST_ROOTS + i].holds = 0;
}

static void change_pin(model *here) {
  size_t i = model_below(here, MODEL_PINS);
  void *object = (void *)here->pins[i];
  if (object != NULL && model_below(here, 3) > 0) {
    unpin(here, i);
    return;
  }
  uint32_t index = object != NULL ? here->roots[MODEL_HOST_ROOTS + i].holds : model_walk(here, &object);
  if (index == 0) return;
  midden_status status = midden_pin(here->mutator, object);
  if (status != MIDDEN_OK) model_fail(here, "midden_pin: %s", midden_status_name(status));
  here->pins[i] = (uintptr_t)object;
  here->pin_counts[i]++;
  here->roots[MODEL_HOST_ROOTS + i].holds = index;
}

/* Memory is out or the graph is big: drop half of the roots. */
static void shrink(model *here) {
  for (size_t i = 0; i < MODEL_HOST_ROOTS; i++) {
    if (model_below(here, 2) == 0) continue;
    here->roots[i].holds = 0;
    *here->roots[i].slot = 0;
  }
  for (size_t i = 0; i < MODEL_BLOCKS; i += 2) {
    midden_block_free(here->mutator, here->blocks[i].bytes);
    here->blocks[i].bytes = NULL;
  }
  for (size_t i = 0; i < MODEL_PINS; i++)
    while (here->pin_counts[i] > 0) unpin(here, i);
  model_compare(here);
}

static void collect(model *here) {
  midden_collection which = model_below(here, 3) == 0 ? MIDDEN_FULL : MIDDEN_MINOR;
  bool full = which == MIDDEN_FULL || !here->config.generational;
  midden_status status = midden_collect(here->mutator, which);
  if (status == MIDDEN_UNSUPPORTED && strcmp(here->config.collector, "none") == 0) {
    model_compare(here);
    return;
  }
  if (full && here->exact && status == MIDDEN_OK) status = model_weak_settle(here);
  if (status != MIDDEN_OK) model_fail(here, "midden_collect: %s", midden_status_name(status));
  model_compare_live(here, full);
}

/* Objects with much garbage between them, so that some spans of pairs hold few. */
static void scatter(model *here) {
  size_t garbage = here->config.stress == MIDDEN_STRESS_OFF ? 1500 : 30;
  for (int round = 0; round < 6 && !here->result->failed; round++) {
    for (int i = 0; i < 6; i++) make(here);
    for (size_t i = 0; i < garbage; i++) {
      if (midden_alloc(here->mutator, here->kinds[MODEL_PAIR]) == NULL) {
        here->result->refused++;
        return;
      }
      here->allocations++;
      here->requested += 4 * sizeof(midden_word);
    }
  }
}

/* Moves objects under any collector; what must stay is checked by the comparison. */
static void defragment(model *here) {
  midden_statistics before, after;
  bool more = false;
  scatter(here);
  size_t budget = model_below(here, 3) == 0 ? SIZE_MAX : model_below(here, 100000);
  midden_statistics_read(here->heap, &before);
  midden_status status = midden_defragment(here->mutator, budget, &more);
  midden_statistics_read(here->heap, &after);
  here->result->defragmented += after.objects_moved - before.objects_moved;
  bool none = strcmp(here->config.collector, "none") == 0;
  if (status != (none ? MIDDEN_UNSUPPORTED : MIDDEN_OK)) model_fail(here, "midden_defragment: %s", midden_status_name(status));
  if (more && budget == SIZE_MAX) model_fail(here, "there is more to defragment than all");
  if (none) return;
  if (here->exact && model_weak_settle(here) != MIDDEN_OK) model_fail(here, "a collection after midden_defragment");
  model_compare_live(here, true);
}

static void verify(model *here) {
  midden_error error = {MIDDEN_OK, ""};
  if (midden_verify(here->heap, &error) != MIDDEN_OK) model_fail(here, "midden_verify: %s", error.message);
}

/* Another collector from here on; `none` only where the options allow it. */
static void switch_collector(model *here) {
  size_t count = 0;
  while (midden_collector_name(count) != NULL) count++;
  const char *name = midden_collector_name(model_below(here, count));
  const midden_config *config = &here->config;
  bool none = strcmp(name, "none") == 0;
  bool refused = none && (config->generational || config->stress != MIDDEN_STRESS_OFF || config->verify != MIDDEN_VERIFY_OFF);
  midden_status status = midden_heap_use(here->heap, name, NULL);
  if (status != (refused ? MIDDEN_CONFLICT : MIDDEN_OK)) model_fail(here, "midden_heap_use %s: %s", name, midden_status_name(status));
  if (status == MIDDEN_OK) strcpy(here->config.collector, name);
}

static void operate(model *here, uint64_t operations);

/* Some operations below a frame of precise locals; afterwards they must still be what they were. */
static void in_a_frame(model *here) {
  void *first = NULL, *second = NULL, *third = NULL;
  size_t roots = here->root_count;
  if (roots + 3 > MODEL_MAXIMUM_ROOTS) return;
  MIDDEN_FRAME(here->mutator, first, second, third);
  uint32_t one = model_walk(here, &first), two = model_walk(here, &second), three = model_walk(here, &third);
  if (one == 0) first = NULL;
  if (two == 0) second = NULL;
  if (three == 0) third = NULL;
  push_root(here, (midden_word *)&first, one);
  push_root(here, (midden_word *)&second, two);
  push_root(here, (midden_word *)&third, three);
  operate(here, 1 + model_below(here, 80));
  if (!here->result->failed && model_below(here, 2) == 0) model_compare(here);
  here->root_count = roots;
  MIDDEN_END(here->mutator);
}

/* The same with handles in a scope, some in an inner scope that closes first or is left open. */
static void in_a_scope(model *here) {
  size_t roots = here->root_count;
  midden_scope outer = midden_scope_open(here->mutator), inner = outer;
  size_t count = model_below(here, 30), at_inner = model_below(here, 30), inner_roots = SIZE_MAX;
  for (size_t i = 0; i < count; i++) {
    void *object = NULL;
    if (i == at_inner) {
      inner = midden_scope_open(here->mutator);
      inner_roots = here->root_count;
    }
    uint32_t index = model_walk(here, &object);
    midden_handle handle = midden_handle_new(here->mutator, index == 0 ? NULL : object);
    if (handle == NULL || !push_root(here, handle, index)) break;
  }
  operate(here, 1 + model_below(here, 80));
  if (inner_roots != SIZE_MAX && model_below(here, 2) == 0) {
    midden_scope_close(here->mutator, inner);
    here->root_count = inner_roots;
    operate(here, 1 + model_below(here, 40));
  }
  here->root_count = roots;
  midden_scope_close(here->mutator, outer);
}

/* stack=conservative: a bare local, found by the scan and by nothing else, is as good as a root. */
static __attribute__((noinline)) void beside_a_local(model *here) {
  void *object = NULL;
  size_t roots = here->root_count;
  uint32_t index = model_walk(here, &object);
  midden_word local = index == 0 ? 0 : (midden_word)object;
  midden_word before = local;
  if (!push_root(here, &local, index)) return;
  operate(here, 1 + model_below(here, 80));
  if (local != before) model_fail(here, "a local that no frame names was rewritten");
  if (!here->result->failed) model_compare(here);
  here->root_count = roots;
}

static void nest(model *here) {
  if (here->depth == MODEL_MAXIMUM_DEPTH) return;
  here->depth++;
  size_t choice = model_below(here, 3);
  if (choice == 0) in_a_frame(here);
  else if (choice == 1 || here->config.stack == MIDDEN_STACK_PRECISE) in_a_scope(here);
  else beside_a_local(here);
  here->depth--;
}

static void operate_once(model *here) {
  if (here->switches && model_below(here, 40) == 0) switch_collector(here);
  size_t choice = model_below(here, 1000);
  here->result->operations++;
  if (choice < 430) make(here);
  else if (choice < 650) relink(here);
  else if (choice < 720) model_weak_operate(here);
  else if (choice < 800) rewrite(here);
  else if (choice < 830) use_block(here);
  else if (choice < 915) change_root(here);
  else if (choice < 945) use_side_tables(here);
  else if (choice < 960) change_pin(here);
  else if (choice < 985) nest(here);
  else if (choice < 990) churn(here);
  else if (choice < 993) model_compare(here);
  else if (choice < 994) midden_finalizers_run(here->mutator, model_below(here, 5));
  else if (choice < 997) collect(here);
  else if (choice < 999) defragment(here);
  else verify(here);
}

static void operate(model *here, uint64_t operations) {
  uint64_t refused = here->result->refused;
  while (operations-- > 0 && !here->result->failed && here->result->operations < here->budget) {
    operate_once(here);
    bool out = here->result->refused != refused;
    refused = here->result->refused;
    if (here->live > MODEL_MAXIMUM_LIVE || out) shrink(here);
  }
}

/* ---- The run ---- */

static void choose_variant(model *here) {
  here->shapes = (1u << MODEL_SHAPES) - 1;
  if (model_below(here, 2) == 0) here->shapes &= ~(1u << MODEL_AMBIGUOUS);
  if (model_below(here, 2) == 0) here->shapes &= ~(1u << MODEL_PINNING);
  here->large = model_below(here, 2) == 0;
  here->exact = here->config.stack == MIDDEN_STACK_PRECISE && !(here->shapes >> MODEL_AMBIGUOUS & 1);
}

static void check_counts(model *here) {
  const midden_statistics *heap = &here->result->heap;
  midden_statistics_read(here->heap, &here->result->heap);
  if (heap->allocations != here->allocations)
    model_fail(here, "%llu allocations are counted and %llu were made", (unsigned long long)heap->allocations,
               (unsigned long long)here->allocations);
  if (heap->requested_bytes != here->requested)
    model_fail(here, "%llu requested bytes are counted and %llu were asked for",
               (unsigned long long)heap->requested_bytes, (unsigned long long)here->requested);
}

static bool open_heap(model *here) {
  midden_error error = {MIDDEN_OK, ""};
  here->shadow_capacity = 1024;
  here->shadow_count = 1;
  here->shadows = calloc(here->shadow_capacity, sizeof *here->shadows);
  here->free_shadows = calloc(here->shadow_capacity, sizeof *here->free_shadows);
  here->work = calloc(here->shadow_capacity, sizeof *here->work);
  if (here->shadows == NULL || here->free_shadows == NULL || here->work == NULL) {
    model_fail(here, "no memory for the shadow");
    return false;
  }
  if (midden_heap_open(&here->config, &here->heap, &error) != MIDDEN_OK) {
    model_fail(here, "midden_heap_open: %s", error.message);
    return false;
  }
  here->mutator = midden_attach(here->heap, NULL, &error);
  if (here->mutator == NULL) model_fail(here, "midden_attach: %s", error.message);
  return here->mutator != NULL && model_define_kinds(here) && model_weak_open(here);
}

static void release(model *here) {
  if (here->heap != NULL && midden_heap_close(here->heap) != MIDDEN_OK) model_fail(here, "midden_heap_close failed");
  if (here->leaves_freed != here->leaves_made)
    model_fail(here, "%llu leaves were made and %llu freed", (unsigned long long)here->leaves_made,
               (unsigned long long)here->leaves_freed);
  for (uint32_t i = 1; i < here->shadow_count && here->shadows != NULL; i++) {
    free(here->shadows[i].edges);
    free(here->shadows[i].interior);
  }
  free(here->shadows);
  free(here->free_shadows);
  free(here->work);
}

void model_run(const midden_config *config, uint64_t seed, uint64_t operations, bool switching,
               model_result *result) {
  memset(result, 0, sizeof *result);
  model *here = calloc(1, sizeof *here);
  if (here == NULL) {
    result->failed = true;
    strcpy(result->message, "no memory for the model");
    return;
  }
  here->config = *config;
  here->random = seed;
  here->budget = operations;
  here->switches = switching;
  here->result = result;
  choose_variant(here);
  if (open_heap(here)) {
    register_roots(here);
    operate(here, operations);
    if (!result->failed) collect(here);
    if (!result->failed) verify(here);
    if (!result->failed) check_counts(here);
    else midden_statistics_read(here->heap, &result->heap);
  }
  release(here);
  free(here);
}
