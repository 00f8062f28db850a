/* What became of objects: see history.h. */
#include "debug/history.h"

#define HISTORY_BYTES (HISTORY_RECORDS * sizeof(struct passing))

bool mdn_history_open(struct history *history, const midden_memory *memory) {
  void *records = memory->reserve(memory->context, HISTORY_BYTES);
  if (!records) return false;
  if (!memory->commit(memory->context, records, HISTORY_BYTES)) {
    memory->release(memory->context, records, HISTORY_BYTES);
    return false;
  }
  *history = (struct history){records, 0, memory};
  return true;
}

void mdn_history_close(struct history *history) {
  if (history->records) history->memory->release(history->memory->context, history->records, HISTORY_BYTES);
  history->records = NULL;
}

static struct passing *record_at(const struct history *history, uint64_t index) {
  return &history->records[index % HISTORY_RECORDS];
}

static uint64_t first_kept(const struct history *history) {
  return history->total > HISTORY_RECORDS ? history->total - HISTORY_RECORDS : 0;
}

void mdn_history_add(struct history *history, const struct passing *passing) {
  *record_at(history, history->total) = *passing;
  history->total++;
}

static uint64_t find_before(const struct history *history, uintptr_t address, uint64_t end) {
  uint64_t first = first_kept(history);
  for (uint64_t i = end; i-- > first;) {
    const struct passing *passing = record_at(history, i);
    if (address - passing->from < passing->size) return i;
  }
  return UINT64_MAX;
}

const struct passing *mdn_history_find(const struct history *history, uintptr_t address) {
  uint64_t found = history->records ? find_before(history, address, history->total) : UINT64_MAX;
  return found == UINT64_MAX ? NULL : record_at(history, found);
}

/* One pass from there to the end: records are in order. Those of the same collection are of others, even if one of
 * them left the place to which this one came. */
const struct passing *mdn_history_follow(const struct history *history, const struct passing *passing, size_t *moves) {
  *moves = passing->to != 0;
  for (uint64_t i = first_kept(history); i < history->total && passing->to; i++) {
    const struct passing *next = record_at(history, i);
    if (next->from != passing->to || next->collection <= passing->collection) continue;
    passing = next;
    *moves += passing->to != 0;
  }
  return passing;
}

uint64_t mdn_history_forgotten(const struct history *history) {
  uint64_t first = first_kept(history);
  return first == 0 ? 0 : record_at(history, first)->collection + 1;
}
