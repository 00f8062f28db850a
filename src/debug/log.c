/* The log: a line for each collection, and at the end a line for the pauses of each sort. */
#include <string.h>

#include "base/line.h"
#include "debug/installers.h"
#include "heap/heap.h"

/* Steps of one name are added up, so that a line has each once and stays short. */
static void add_steps(struct line *line, const struct step_log *log, uint64_t ended) {
  uint64_t times[STEP_KINDS] = {0};
  bool taken[STEP_KINDS] = {false};
  for (unsigned i = 0; i < log->count; i++) {
    enum gc_step step = log->starts[i].step;
    times[step] += (i + 1 < log->count ? log->starts[i + 1].at : ended) - log->starts[i].at;
    taken[step] = true;
  }
  const char *separator = ":";
  for (unsigned step = 0; step < STEP_KINDS; step++) {
    if (!taken[step]) continue;
    mdn_line_add(line, "%s %s " MILLISECONDS_FORMAT, separator, step_name((enum gc_step)step), MILLISECONDS(times[step]));
    separator = ",";
  }
}

static midden_status log_collection(struct observer *observer, midden_heap *heap, const struct collected *collected) {
  (void)observer;
  char bytes[400];
  struct line line = {bytes, sizeof bytes, 0};
  const struct core_figures *figures = &heap->core.figures;
  mdn_line_add(&line,
               "midden: collection %llu %s %s %s: %zu -> %zu bytes, %zu objects, %llu pinned, %llu moved, "
               "pause " MILLISECONDS_FORMAT " ms",
               (unsigned long long)collected->number, collected->collector, collected->minor ? "minor" : "full",
               mdn_cause_name(collected->cause), collected->used_before, figures->live_bytes, figures->live_objects,
               (unsigned long long)collected->pinned, (unsigned long long)collected->moved,
               MILLISECONDS(collected->ended - collected->began));
  add_steps(&line, &heap->core.steps, collected->ended);
  mdn_heap_report(heap, false, "%s", bytes);
  return MIDDEN_OK;
}

static void log_pauses(midden_heap *heap, const char *sort, const struct histogram *pauses) {
  if (pauses->count == 0) return;
  mdn_heap_report(heap, false,
                  "midden: pauses %s: %llu collections, total " MILLISECONDS_FORMAT " ms, p50 " MILLISECONDS_FORMAT
                  ", p90 " MILLISECONDS_FORMAT ", p99 " MILLISECONDS_FORMAT ", longest " MILLISECONDS_FORMAT,
                  sort, (unsigned long long)pauses->count, MILLISECONDS(pauses->sum),
                  MILLISECONDS(mdn_histogram_percentile(pauses, 50)), MILLISECONDS(mdn_histogram_percentile(pauses, 90)),
                  MILLISECONDS(mdn_histogram_percentile(pauses, 99)), MILLISECONDS(pauses->longest));
}

static void close_log(struct observer *observer, midden_heap *heap) {
  (void)observer;
  log_pauses(heap, "minor", &heap->figures.pauses[true]);
  log_pauses(heap, "full", &heap->figures.pauses[false]);
}

midden_status mdn_log_install(midden_heap *heap, midden_error *error) {
  if (strcmp(heap->config.log, "off") == 0) return MIDDEN_OK;
  struct observer *log = mdn_observer_new(heap, sizeof *log, error);
  if (!log) return MIDDEN_NO_MEMORY;
  log->after = log_collection;
  log->close = close_log;
  mdn_observer_add(heap, log);
  return MIDDEN_OK;
}
