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

bool model_push_root(model *here, midden_word *slot, uint32_t holds, bool pinned) {
  if (here->root_count == MODEL_MAXIMUM_ROOTS) return false;
  here->roots[here->root_count++] = (model_root){slot, holds, pinned};
  return true;
}

static void register_roots(model *here) {
  midden_status status = midden_root_range_add(here->heap, here->host, MODEL_RANGE_ROOTS);
  for (size_t i = 0; i < MODEL_SINGLE_ROOTS && status == MIDDEN_OK; i++)
    status = midden_root_add(here->heap, &here->host[MODEL_RANGE_ROOTS + i]);
  if (status == MIDDEN_OK) status = midden_root_scanner_add(here->heap, scan, here);
  if (status == MIDDEN_OK) status = midden_root_range_add(here->heap, here->kept, sizeof here->kept / sizeof(midden_word));
  if (status != MIDDEN_OK) model_fail(here, "registering roots: %s", midden_status_name(status));
  for (size_t i = 0; i < MODEL_HOST_ROOTS; i++) model_push_root(here, &here->host[i], 0, false);
  for (size_t i = 0; i < MODEL_PINS; i++) model_push_root(here, &here->pins[i], 0, true);
  for (size_t i = 0; i < MODEL_MARKED; i++) model_push_root(here, &here->marked[i], 0, false);
}

static void run_finalizers(model *here) { midden_finalizers_run(here->mutator, model_below(here, 40)); }

/* What a run does, and how often. */
static const struct operation {
  void (*function)(model *here);
  unsigned weight; /* of 1000 */
} operations[] = {
    {model_edit_make, 435},    {model_edit_relink, 205}, {model_weak_operate, 75}, {model_edit_rewrite, 70},
    {model_use_block, 30},     {model_use_buffer, 30},   {model_use_pool, 20},     {model_edit_root, 50},
    {model_use_side_tables, 25}, {model_change_pin, 12}, {model_change_marked, 8}, {model_nest, 21},
    {model_edit_churn, 4},     {model_compare, 3},       {run_finalizers, 3},      {model_collect, 3},
    {model_defragment, 2},     {model_count, 2},         {model_trim, 1},          {model_verify, 1},
};

static void operate_once(model *here) {
  if (here->switches && model_below(here, 40) == 0) model_switch_collector(here);
  size_t choice = model_below(here, 1000), which = 0;
  here->result->operations++;
  while (choice >= operations[which].weight) choice -= operations[which++].weight;
  operations[which].function(here);
}

void model_operate(model *here, uint64_t count) {
  uint64_t refused = here->result->refused;
  while (count-- > 0 && !here->result->failed && here->result->operations < here->budget) {
    operate_once(here);
    model_compare_figures(here);
    bool out = here->result->refused != refused;
    refused = here->result->refused;
    if (here->live > MODEL_MAXIMUM_LIVE || out) model_shrink(here);
  }
}

/* ---- The run ---- */

static void choose_variant(model *here) {
  here->shapes = (1u << MODEL_SHAPES) - 1;
  if (model_below(here, 2) == 0) here->shapes &= ~(1u << MODEL_AMBIGUOUS);
  if (model_below(here, 2) == 0) here->shapes &= ~(1u << MODEL_PINNING);
  if (model_below(here, 3) == 0) here->shapes &= ~(1u << MODEL_FINALIZED);
  here->large = model_below(here, 2) == 0;
  here->marks = model_below(here, 2) == 0;
  here->marks_pinning = model_below(here, 2) == 0;
  here->spares = model_below(here, 2) == 0;
  here->config.run_finalizers = model_below(here, 2) == 0;
  model_host_configure(here);
  here->exact = here->config.stack != MIDDEN_STACK_CONSERVATIVE && !(here->shapes >> MODEL_AMBIGUOUS & 1);
}

static void check_cycle_reports(model *here) {
  if (here->config.report_context == here && (here->result->heap.finalizer_cycles == 0) != (here->cycle_reports == 0))
    model_fail(here, "cycles of finalizers are counted and not reported, or the reverse");
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
  return here->mutator != NULL && model_define_kinds(here) && model_weak_open(here) &&
         model_buffers_open(here) && model_host_open(here);
}

static void release(model *here) {
  here->settling = true;
  if (here->heap != NULL && midden_heap_close(here->heap) != MIDDEN_OK) model_fail(here, "midden_heap_close failed");
  model_finalizers_closed(here);
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

void model_run(const midden_config *config, uint64_t seed, uint64_t budget, bool switching,
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
  here->budget = budget;
  here->switches = switching;
  here->result = result;
  choose_variant(here);
  if (open_heap(here)) {
    register_roots(here);
    model_operate(here, budget);
    if (!result->failed) model_buffers_close(here);
    if (!result->failed) model_collect(here);
    if (!result->failed) model_verify(here);
    model_compare_figures(here);
    midden_statistics_read(here->heap, &result->heap);
    if (!result->failed) check_cycle_reports(here);
  }
  release(here);
  free(here);
}
