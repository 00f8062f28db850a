/* The model's operations on the heap as a whole: collecting, defragmenting, switching, trimming, counting. See
 * model_internal.h. */
#include <string.h>

#include "model_internal.h"

/* Memory is out or the graph is big: drop half of the roots. */
void model_shrink(model *here) {
  for (size_t i = 0; i < MODEL_HOST_ROOTS; i++) {
    if (model_below(here, 2) == 0) continue;
    here->roots[i].holds = 0;
    *here->roots[i].slot = 0;
  }
  for (size_t i = 0; i < MODEL_MARKED; i++) {
    here->marked[i] = 0;
    here->roots[MODEL_HOST_ROOTS + MODEL_PINS + i].holds = 0;
  }
  memset(here->marked_at, 0, sizeof here->marked_at);
  model_memory_shrink(here);
  model_buffers_shrink(here);
  model_compare(here);
}

void model_collect(model *here) {
  static const midden_collection requests[] = {MIDDEN_FULL, MIDDEN_PACED, MIDDEN_MINOR, MIDDEN_MINOR};
  midden_collection which = requests[model_below(here, sizeof requests / sizeof requests[0])];
  bool full = which != MIDDEN_MINOR || !here->config.generational;
  midden_status status = midden_collect(here->mutator, which);
  if (status == MIDDEN_UNSUPPORTED && strcmp(here->config.collector, "none") == 0) {
    model_compare(here);
    return;
  }
  if (full && here->exact && status == MIDDEN_OK) status = model_settle(here);
  if (status != MIDDEN_OK) model_fail(here, "midden_collect: %s", midden_status_name(status));
  model_compare_live(here, full);
}

/* Objects with much garbage between them, so that some spans of pairs hold few. */
static void scatter(model *here) {
  size_t garbage = here->config.stress == MIDDEN_STRESS_OFF ? 1500 : 30;
  for (int round = 0; round < 6 && !here->result->failed; round++) {
    for (int i = 0; i < 6; i++) model_edit_make(here);
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
void model_defragment(model *here) {
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
  if (here->exact && model_settle(here) != MIDDEN_OK) model_fail(here, "a collection after midden_defragment");
  model_compare_live(here, true);
}

void model_verify(model *here) {
  midden_error error = {MIDDEN_OK, ""};
  if (midden_verify(here->heap, &error) != MIDDEN_OK) model_fail(here, "midden_verify: %s", error.message);
}

/* Another collector from here on; `none` only where the options allow it. */
void model_switch_collector(model *here) {
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

/* Free pages go back; nothing else changes. */
void model_trim(model *here) {
  midden_statistics before, after;
  midden_statistics_read(here->heap, &before);
  size_t returned = midden_trim(here->heap);
  midden_statistics_read(here->heap, &after);
  if (after.free_bytes != 0) model_fail(here, "%zu bytes of free pages are left by midden_trim", after.free_bytes);
  size_t less = before.span_bytes + before.free_bytes - after.span_bytes; /* spans of blocks that were kept for later, too */
  if (less != returned) model_fail(here, "midden_trim says %zu bytes, and %zu are backed less", returned, less);
  if (after.used_bytes != before.used_bytes) model_fail(here, "midden_trim has changed the objects");
}

/* ---- Counting ---- */

typedef struct census {
  model *here;
  size_t objects[MODEL_SHAPES], bytes[MODEL_SHAPES]; /* by shape */
  size_t all, of_class, class_bytes;                 /* leaves of one class */
} census;

static bool count_object(void *context, void *object, size_t size, uint16_t kind_id) {
  census *counted = context;
  model *here = counted->here;
  if (midden_object_at(here->heap, object) != object || midden_size_of(here->heap, object) != size ||
      midden_kind_of(here->heap, object) != kind_id) {
    model_fail(here, "midden_each gives %p, of %zu bytes and kind %u, and that is none", object, size, kind_id);
  }
  counted->all += size;
  for (int i = 0; i < MODEL_SHAPES; i++) {
    if (here->kinds[i].id != kind_id) continue;
    counted->objects[i]++;
    counted->bytes[i] += size;
    if (i == MODEL_LEAF && size == counted->class_bytes) counted->of_class++;
  }
  return !here->result->failed;
}

static midden_usage usage_of(model *here, int shape) {
  midden_usage usage = {0, 0, 0, 0};
  if (!(here->shapes >> shape & 1)) return usage;
  if (midden_usage_of_kind(here->heap, here->kinds[shape].id, &usage) != MIDDEN_OK) model_fail(here, "midden_usage_of_kind");
  return usage;
}

static void check_usage(model *here, const census *counted, int shape, midden_usage usage) {
  if (usage.objects != counted->objects[shape] || usage.bytes != counted->bytes[shape] || usage.span_bytes < usage.bytes)
    model_fail(here, "kind %s: %zu objects of %zu bytes in spans of %zu are counted, and %zu of %zu walked",
               midden_kind_name(here->heap, here->kinds[shape].id), usage.objects, usage.bytes, usage.span_bytes,
               counted->objects[shape], counted->bytes[shape]);
}

void model_count(model *here) {
  size_t request = 16 + model_below(here, 800);
  census counted = {.here = here, .class_bytes = midden_good_size(request)};
  midden_usage usage = {0, 0, 0, 0}, usages[MODEL_SHAPES];
  midden_statistics statistics;
  /* Before the walk, which ends all runs. */
  for (int i = 0; i < MODEL_SHAPES; i++) usages[i] = usage_of(here, i);
  if (midden_usage_of_class(here->heap, here->kinds[MODEL_LEAF].id, request, &usage) != MIDDEN_OK) model_fail(here, "a class");
  midden_statistics_read(here->heap, &statistics);
  midden_status status = midden_each(here->heap, count_object, &counted);
  if (status != MIDDEN_OK) model_fail(here, "midden_each: %s", midden_status_name(status));
  for (int i = 0; i < MODEL_SHAPES; i++) check_usage(here, &counted, i, usages[i]);
  if (usage.objects != counted.of_class)
    model_fail(here, "%zu leaves of %zu bytes are counted, and %zu walked", usage.objects, counted.class_bytes,
               counted.of_class);
  if (statistics.used_bytes != counted.all)
    model_fail(here, "%zu bytes are used, and %zu walked", statistics.used_bytes, counted.all);
}
