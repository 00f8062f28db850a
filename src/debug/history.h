/* What became of objects: for each one that moved or died a record, in order; the oldest are forgotten. It has memory of
 * its own, taken when it is opened, and is read by signal handlers too. */
#ifndef MIDDEN_DEBUG_HISTORY_H
#define MIDDEN_DEBUG_HISTORY_H

#include "midden/config.h"

#define HISTORY_RECORDS ((size_t)1 << 18) /* 12 MiB when all are used */
#define HISTORY_BLOCK UINT16_MAX          /* for a kind: the pages of blocks */

struct passing {
  uintptr_t from, to; /* `to` 0: it died */
  size_t size;        /* of the cell; of blocks, of their pages */
  uint64_t site;      /* see sites.h; 0: not known */
  uint64_t collection;
  const char *collector;
  uint16_t kind;
};

/* Invariant: record i of all that ever were, of which the last HISTORY_RECORDS are kept, is at i % HISTORY_RECORDS; those
 * of one collection follow each other. */
struct history {
  struct passing *records;
  uint64_t total;
  const midden_memory *memory;
};

/* post: false if there is no memory for it. */
bool mdn_history_open(struct history *history, const midden_memory *memory);
void mdn_history_close(struct history *history);

void mdn_history_add(struct history *history, const struct passing *passing);

/* What last moved or died at an address, or around it. post: NULL: nothing that is still known. */
const struct passing *mdn_history_find(const struct history *history, uintptr_t address);

/* The last that is known of the object of a record; the record itself if nothing came after. *moves: how many moves
 * there were, with those of the first and the last record. */
const struct passing *mdn_history_follow(const struct history *history, const struct passing *passing, size_t *moves);

/* The collection before which everything is forgotten; 0: nothing is. */
uint64_t mdn_history_forgotten(const struct history *history);

#endif
