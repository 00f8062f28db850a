/* Names of slots and roots, as the host gave them, and in words where it gave none. */
#ifndef MIDDEN_DEBUG_NAMES_H
#define MIDDEN_DEBUG_NAMES_H

#include "debug/graph.h"

/* Of the slot that an edge comes from. */
struct slot_name {
  bool element;  /* the number-th of many alike: nothing else needs to be said */
  size_t number;
  char text[80]; /* ".cdr", "[7]", "+16" */
};

void mdn_slot_name(const struct graph *graph, const struct graph_edge *edge, struct slot_name *name);

/* "root globals[3]": what a root is. `whole`: with the name of the function that a stack word belongs to. */
void mdn_root_text(const struct graph_root *root, bool whole, char *text, size_t capacity);

/* What roots of a type are called together, such as "(handles)". */
const char *mdn_root_group(enum graph_root_type type);

#endif
