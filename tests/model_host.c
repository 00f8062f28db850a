/* What the heap calls in the model: the function at the end of marking, the pressure callback, reports. See
 * model_internal.h. */
#include <string.h>

#include "model_internal.h"

/* ---- The end of marking ---- */

static void check_pinned(model *here, size_t i) {
  if (here->marked_at[i] != 0 && here->marked_at[i] != here->marked[i])
    model_fail(here, "what was pinned at the end of marking has moved from %#zx to %#zx", (size_t)here->marked_at[i],
               (size_t)here->marked[i]);
}

/* Keeps what the marked words say; the first of them where it is. */
static void end_marking(midden_marking *marking, midden_phase phase, void *context) {
  model *here = context;
  for (size_t i = 0; i < MODEL_MARKED; i++) {
    if (phase == MIDDEN_SWEEPING_BEGINS) {
      if (!midden_marking_is_marked(marking, here->marked[i])) model_fail(here, "what the host marked is not marked");
      if (midden_marking_mark(marking, &here->marked[i]) != MIDDEN_MISUSE) model_fail(here, "marking is too late");
      continue;
    }
    if (here->marks_pinning && i < MODEL_MARKED_PINNED) {
      check_pinned(here, i);
      here->marked_at[i] = here->marked[i];
      if (midden_marking_pin(marking, here->marked[i]) != MIDDEN_OK) model_fail(here, "midden_marking_pin");
    }
    if (midden_marking_mark(marking, &here->marked[i]) != MIDDEN_OK) model_fail(here, "midden_marking_mark");
  }
}

void model_check_marked(model *here) {
  for (size_t i = 0; i < MODEL_MARKED_PINNED; i++) check_pinned(here, i);
}

void model_change_marked(model *here) {
  size_t i = model_below(here, MODEL_MARKED);
  void *object = NULL;
  uint32_t index = model_below(here, 3) == 0 ? 0 : model_walk(here, &object);
  if (!here->marks) return;
  here->roots[MODEL_HOST_ROOTS + MODEL_PINS + i].holds = index;
  here->marked[i] = index == 0 ? 0 : (uintptr_t)object;
  if (i < MODEL_MARKED_PINNED) here->marked_at[i] = 0;
}

/* ---- Pressure and reports ---- */

static bool spare(void *context, midden_heap *heap, midden_pressure pressure, size_t bytes) {
  model *here = context;
  bool dropped = false;
  (void)bytes;
  here->pressure_calls++;
  if (heap != here->heap || (unsigned)pressure > MIDDEN_PRESSURE_HARD) model_fail(here, "the pressure callback's arguments");
  if (midden_collect(here->mutator, MIDDEN_FULL) != MIDDEN_MISUSE) model_fail(here, "the pressure callback could collect");
  for (size_t i = 0; i < MODEL_SPARED_ROOTS && here->spares; i++) {
    dropped |= here->roots[i].holds != 0;
    here->roots[i].holds = 0;
    *here->roots[i].slot = 0;
  }
  return dropped;
}

static void report(void *context, const char *line) {
  model *here = context;
  here->cycle_reports += strstr(line, "ordered finalizers") != NULL;
}

void model_host_configure(model *here) {
  here->config.pressure = spare;
  here->config.pressure_context = here;
  if (here->config.report != NULL || strcmp(here->config.log, "off") != 0) return;
  here->config.report = report;
  here->config.report_context = here;
}

bool model_host_open(model *here) {
  if (here->marks && midden_phase_add(here->heap, end_marking, here, here->marks_pinning) != MIDDEN_OK)
    model_fail(here, "midden_phase_add");
  return !here->result->failed;
}
