/* Censuses: objects and bytes by kind, from the counters of the central lists; and those after the last collections. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "debug/installers.h"
#include "debug/output.h"
#include "heap/heap.h"

/* pre: runs are flushed. */
static size_t take_census(const struct core *core, midden_census_line *lines, size_t capacity) {
  size_t count = 0;
  for (size_t id = 1; id < core->kinds.count; id++) {
    const struct kind *kind = &core->kinds.kinds[id];
    midden_census_line line = {.kind_id = (uint16_t)id, .name = kind->name};
    for (size_t i = 0; i < kind->central_count; i++) {
      line.objects += kind->centrals[i].used_cells;
      line.bytes += kind->centrals[i].used_bytes;
    }
    if (line.objects == 0) continue;
    if (count < capacity) lines[count] = line;
    count++;
  }
  return count;
}

size_t midden_census(midden_heap *heap, midden_census_line *lines, size_t capacity) {
  if (heap_enter(heap) != MIDDEN_OK || (capacity > 0 && !lines)) return 0;
  mdn_heap_flush(heap);
  return take_census(&heap->core, lines, capacity);
}

/* ---- comparing two ---- */

static int by_kind(const void *key, const void *line) {
  return (int)((const midden_census_line *)key)->kind_id - (int)((const midden_census_line *)line)->kind_id;
}

/* The line of a kind; one without objects if there is none. Lines are in the order of kind ids. */
static midden_census_line line_of(const midden_census_line *lines, size_t count, const midden_census_line *kind) {
  const midden_census_line *found = count ? bsearch(kind, lines, count, sizeof *lines, by_kind) : NULL;
  return found ? *found : (midden_census_line){.kind_id = kind->kind_id, .name = kind->name};
}

/* How much a kind has grown. */
struct growth {
  midden_census_line before, after;
};

static int64_t grown_bytes(const struct growth *growth) { return (int64_t)(growth->after.bytes - growth->before.bytes); }

/* The largest first. */
static bool grew_more(const struct growth *a, const struct growth *b) {
  int64_t first = grown_bytes(a), second = grown_bytes(b);
  return first != second ? first > second : a->after.kind_id < b->after.kind_id;
}

/* Two censuses. */
struct comparison {
  const midden_census_line *before, *after;
  size_t before_count, after_count;
};

/* The index-th kind that is in one of the two, first those that are in `after`. post: false if that one is to be passed. */
static bool growth_at(const struct comparison *comparison, size_t index, struct growth *growth) {
  const struct comparison *at = comparison;
  if (index < at->after_count) {
    *growth = (struct growth){line_of(at->before, at->before_count, &at->after[index]), at->after[index]};
    return true;
  }
  const midden_census_line *gone = &at->before[index - at->after_count];
  *growth = (struct growth){*gone, line_of(at->after, at->after_count, gone)};
  return growth->after.objects == 0;
}

/* The one that follows `last` (NULL: the first) in the order of growth. There are few kinds: no table is sorted, so that
 * no memory is needed. post: false if there is none. */
static bool next_growth(const struct comparison *comparison, const struct growth *last, struct growth *next) {
  bool found = false;
  for (size_t i = 0; i < comparison->before_count + comparison->after_count; i++) {
    struct growth growth;
    if (!growth_at(comparison, i, &growth) || (last && !grew_more(last, &growth))) continue;
    if (found && !grew_more(&growth, next)) continue;
    *next = growth;
    found = true;
  }
  return found;
}

static void print_growth_line(struct output *output, const struct growth *growth, const char *remark) {
  mdn_output_line(output, "%-32.80s %12llu -> %-12llu %+14lld bytes%s", growth->after.name,
                  (unsigned long long)growth->before.objects, (unsigned long long)growth->after.objects,
                  (long long)grown_bytes(growth), remark);
}

static bool in_order(const midden_census_line *lines, size_t count) {
  if (count > 0 && !lines) return false;
  for (size_t i = 1; i < count; i++) {
    if (lines[i].kind_id <= lines[i - 1].kind_id) return false;
  }
  return true;
}

midden_status midden_census_compare(const midden_census_line *before, size_t before_count,
                                    const midden_census_line *after, size_t after_count, const midden_writer *writer,
                                    midden_error *error) {
  if (!writer || !writer->write || !in_order(before, before_count) || !in_order(after, after_count)) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "midden_census_compare: two censuses as midden_census fills them, and a writer");
  }
  struct comparison comparison = {before, after, before_count, after_count};
  struct output output;
  mdn_output_open(&output, NULL, writer);
  struct growth growth, last;
  for (bool more = next_growth(&comparison, NULL, &growth); more; more = next_growth(&comparison, &last, &growth)) {
    if (growth.before.objects != growth.after.objects || grown_bytes(&growth)) print_growth_line(&output, &growth, "");
    last = growth;
  }
  return mdn_output_close(&output, "the comparison", error);
}

/* ---- the last ones ---- */

struct past_census {
  struct table lines; /* midden_census_line */
  uint64_t collection;
};

struct census_history {
  struct observer observer;
  size_t capacity, count, oldest;
  uint64_t missed; /* for want of memory */
  struct past_census censuses[];
};

static midden_status census_after(struct observer *observer, midden_heap *heap, const struct collected *collected) {
  struct census_history *history = (struct census_history *)observer;
  if (collected->minor) return MIDDEN_OK;
  struct past_census *census = &history->censuses[(history->oldest + history->count) % history->capacity];
  size_t kinds = take_census(&heap->core, NULL, 0);
  if (!table_grow(&census->lines, &heap->memory, kinds, sizeof(midden_census_line))) {
    history->missed++;
    return MIDDEN_OK;
  }
  census->lines.count = take_census(&heap->core, census->lines.items, kinds);
  census->collection = collected->number;
  if (history->count < history->capacity) history->count++;
  else history->oldest = (history->oldest + 1) % history->capacity;
  return MIDDEN_OK;
}

static void census_close(struct observer *observer, midden_heap *heap) {
  struct census_history *history = (struct census_history *)observer;
  for (size_t i = 0; i < history->capacity; i++) mdn_table_close(&history->censuses[i].lines, &heap->memory);
}

midden_status mdn_census_install(midden_heap *heap, midden_error *error) {
  size_t count = heap->config.census;
  if (count == 0) return MIDDEN_OK;
  struct census_history *history = mdn_observer_new(heap, sizeof *history + count * sizeof history->censuses[0], error);
  if (!history) return MIDDEN_NO_MEMORY;
  history->capacity = count;
  history->observer.after = census_after;
  history->observer.close = census_close;
  mdn_observer_add(heap, &history->observer);
  return MIDDEN_OK;
}

static struct census_history *history_of(const midden_heap *heap) {
  struct observer *observer = heap->observers;
  while (observer && observer->after != census_after) observer = observer->next;
  return (struct census_history *)observer;
}

static const struct past_census *past_census(const struct census_history *history, size_t index) {
  return &history->censuses[(history->oldest + index) % history->capacity];
}

/* In how many steps the bytes of a kind have grown. */
static size_t steps_of_growth(const struct census_history *history, const midden_census_line *kind) {
  size_t steps = 0;
  uint64_t bytes = 0;
  for (size_t i = 0; i < history->count; i++) {
    const struct past_census *census = past_census(history, i);
    uint64_t now = line_of(census->lines.items, census->lines.count, kind).bytes;
    steps += i > 0 && now > bytes;
    bytes = now;
  }
  return steps;
}

static void print_history(const struct census_history *history, struct output *output) {
  const struct past_census *first = past_census(history, 0), *last = past_census(history, history->count - 1);
  struct comparison comparison = {first->lines.items, last->lines.items, first->lines.count, last->lines.count};
  struct growth growth, previous;
  mdn_output_line(output, "midden: objects and bytes from collection %llu to %llu, %zu full collections%s",
                  (unsigned long long)first->collection, (unsigned long long)last->collection, history->count,
                  history->missed ? " (others were not counted, for want of memory)" : "");
  for (bool more = next_growth(&comparison, NULL, &growth); more; more = next_growth(&comparison, &previous, &growth)) {
    char remark[48];
    snprintf(remark, sizeof remark, "  grew in %zu of %zu", steps_of_growth(history, &growth.after), history->count - 1);
    print_growth_line(output, &growth, remark);
    previous = growth;
  }
}

midden_status midden_census_growth(midden_heap *heap, const midden_writer *writer, midden_error *error) {
  if (heap_enter(heap) != MIDDEN_OK) {
    return mdn_error(error, MIDDEN_MISUSE, "midden_census_growth: not an open heap of this thread, or inside a collection");
  }
  const struct census_history *history = history_of(heap);
  if (!history) {
    return mdn_error(error, MIDDEN_UNSUPPORTED, "midden_census_growth: open the heap with census=N, 2 to 1000, to keep censuses");
  }
  struct output output;
  mdn_output_open(&output, heap, writer);
  if (history->count > 1) {
    print_history(history, &output);
  } else {
    mdn_output_line(&output, "midden: no growth is known before the second full collection");
  }
  return mdn_output_close(&output, "the censuses", error);
}
