/* Pins that the host sets and takes away: a table of cells with a count for each. What is pinned is a root,
 * and keeps its place; so an entry's address never changes and needs no rewriting. */
#ifndef MIDDEN_GC_PINS_H
#define MIDDEN_GC_PINS_H

#include "gc/core.h"

/* Pins a cell once more. post: false if there is no memory for its entry. */
bool mdn_pins_add(struct core *core, uintptr_t cell);
/* Takes one such pin away. post: false if the cell has none, scoped ones aside. */
bool mdn_pins_remove(struct core *core, uintptr_t cell);
/* How many it has, scoped ones included. */
size_t mdn_pins_count(const struct core *core, uintptr_t cell);

/* The same with a scope: the pins of entries beyond `count` are taken away together. */
bool mdn_pins_add_scoped(struct core *core, struct scoped_pins *pins, uintptr_t cell);
void mdn_pins_close(struct core *core, struct scoped_pins *pins, size_t count);
/* Closes all, and gives the stack's memory back. */
void mdn_pins_release(struct core *core, struct scoped_pins *pins);

/* At the start of a collection: marks and pins every cell in the table, and has them scanned. */
void mdn_pins_mark(struct core *core);

#endif
