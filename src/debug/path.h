/* A path from a root to an object, by what a search reached. */
#ifndef MIDDEN_DEBUG_PATH_H
#define MIDDEN_DEBUG_PATH_H

#include "debug/reach.h"

/* Steps from the object back: steps[0] is the object, the last its root (a root's index beyond the nodes). */
struct path {
  struct table steps; /* uint32_t */
};

/* pre: the node was reached. post: false: no memory, *error. mdn_table_close(&path->steps) in the end. */
bool mdn_path_find(const struct reach *reach, uint32_t node, struct path *path, midden_error *error);

/* The root that the path begins at. */
const struct graph_root *mdn_path_root(const struct reach *reach, const struct path *path);

/* The edge of one step: from steps[index + 1], an object, to steps[index]. Of several the one that holds best. post: false if
 * there is none (any more). */
bool mdn_path_edge(const struct reach *reach, const struct path *path, size_t index, struct graph_edge *edge);

/* What an edge is, where it does not hold by itself: " (weak)"; else "". */
const char *mdn_edge_remark(enum edge_strength strength);

/* All of a path in one line, the middle of a long one left out. */
void mdn_path_text(const struct reach *reach, const struct path *path, char *text, size_t capacity);

/* "it is reached by " and such a line, or that no root leads to the object; `text` stays as it is if memory is refused. The
 * stack is left out if the running one is not known. pre: as for mdn_graph_open. */
void mdn_path_describe(midden_heap *heap, const struct collection *collection, uintptr_t cell, char *text, size_t capacity);

#endif
