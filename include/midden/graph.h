/* The heap as a graph: why an object is alive, what takes the memory, and snapshots for Chrome's DevTools.
 *
 * All of these look at the heap as it is, dead objects that no collection has found included: collect first
 * (midden_collect) to see live ones only. They follow all roots, the C stack included where stack=conservative (with
 * stack=pinning it is none), and never collect, move or change anything. Their tables come from the heap's memory source,
 * outside heap-limit, and go back at the end: 16 to 80 bytes for each object, NO_MEMORY when they are refused. Cost: one or
 * a few passes over the heap. Owner thread, not from inside a collection, which is answered with MISUSE. The host's functions
 * that they call (trace functions, root scanners, those below) must not use the heap. */
#ifndef MIDDEN_GRAPH_H
#define MIDDEN_GRAPH_H

#include "midden/heap.h"
#include "midden/roots.h"
#include "midden/writer.h"

MIDDEN_BEGIN_DECLARATIONS

/* Where a writer (writer.h) may be NULL, lines go to config.report, the log or standard error. */

/* ---- Names: for the reports below. Who gives none pays nothing. ---- */

/* Names the first `count` words of the objects of a kind; NULL for a word without a name. The names are copied.
 * post: MIDDEN_OK; BAD_ARGUMENT, NO_MEMORY, MISUSE, and nothing has changed. Naming a kind again replaces its names. */
MIDDEN_API midden_status midden_kind_name_slots(midden_heap *heap, midden_kind kind, const char *const *names,
                                                size_t count);

/* One slot of an object. */
typedef struct midden_slot {
  const void *object;
  const void *address; /* of the slot, in the object or what its trace function visited; NULL: a word without one */
  size_t index;        /* of the slots that are visited in this object, from 0 */
} midden_slot;

/* Writes the name of a slot, at most `capacity` bytes with the terminator; for kinds whose slots have no fixed names. It may
 * read the object. A text such as "[3]" is shown as it is, others behind a point. post: the text is as it was (empty) where it knows none. */
typedef void (*midden_slot_name_function)(void *context, const midden_slot *slot, char *text, size_t capacity);

/* Has `function` name the slots of a kind that midden_kind_name_slots gave no name. NULL: none. post: as above. */
MIDDEN_API midden_status midden_kind_name_slots_by(midden_heap *heap, midden_kind kind,
                                                   midden_slot_name_function function, void *context);

/* Names what midden_root_add, _range_add or _ambiguous_add registered at `first`. The name is not copied: it must live
 * as long as the root is registered. post: MIDDEN_OK; BAD_ARGUMENT if no such root is registered; MISUSE. */
MIDDEN_API midden_status midden_root_name(midden_heap *heap, const void *first, const char *name);
MIDDEN_API midden_status midden_root_scanner_name(midden_heap *heap, midden_scan_function scan, void *context,
                                                  const char *name);

/* ---- Why is it alive? ---- */

/* Writes a shortest path from a root to the object, one line for each step, with the kinds, addresses and names of slots. Paths
 * from roots that the host registered come before those from the C stack, which often holds what was just
 * asked about. If there is no path: whether weak references, ephemerons or a finalizer lead to the object, or nothing.
 * `object`: the untagged start of an object. `writer` may be NULL.
 * post: MIDDEN_OK; BAD_ARGUMENT: no object; NO_MEMORY, IO_ERROR, MISUSE, and *error (may be NULL) says so. */
MIDDEN_API midden_status midden_why(midden_heap *heap, const void *object, const midden_writer *writer,
                                    midden_error *error);

/* ---- What takes the memory? ---- */

/* Of one kind. */
typedef struct midden_census_line {
  uint16_t kind_id;
  uint16_t reserved;
  const char *name;  /* lives as long as the heap */
  uint64_t objects;
  uint64_t bytes;    /* of their cells */
  uint64_t retained; /* midden_retained: what would be freed without them, themselves included; else 0 */
} midden_census_line;

/* Counts objects by kind, dead ones that no collection has found included. Fills at most `capacity` lines, in the order of
 * kind ids, of the kinds that have objects. post: how many such kinds there are; 0 on misuse, too. Cost: proportional to
 * the kinds; no object is looked at. */
MIDDEN_API size_t midden_census(midden_heap *heap, midden_census_line *lines, size_t capacity);

/* Writes what has changed between two censuses of one heap, the largest growth in bytes first. `writer` is not NULL.
 * post: MIDDEN_OK; BAD_ARGUMENT; IO_ERROR, and *error (may be NULL) says so. Any thread. */
MIDDEN_API midden_status midden_census_compare(const midden_census_line *before, size_t before_count,
                                               const midden_census_line *after, size_t after_count,
                                               const midden_writer *writer, midden_error *error);

/* With census=N: the heap keeps the censuses after its last N full collections. Writes, of each kind, how it has grown
 * from the oldest to the newest, and in how many of the steps between. `writer` may be NULL.
 * post: MIDDEN_OK; UNSUPPORTED without census=N; IO_ERROR, MISUSE, and *error (may be NULL) says so. */
MIDDEN_API midden_status midden_census_growth(midden_heap *heap, const midden_writer *writer, midden_error *error);

/* As midden_census, of what the roots reach, and with what each kind retains: the cells that are reachable only through its
 * objects. (By the dominator tree: Lengauer and Tarjan 1979. An ephemeron's value counts as held by its key.)
 * post: MIDDEN_OK, *count: how many such kinds there are; NO_MEMORY, BAD_ARGUMENT, MISUSE, and *error (may be NULL). */
MIDDEN_API midden_status midden_retained(midden_heap *heap, midden_census_line *lines, size_t capacity, size_t *count,
                                         midden_error *error);

/* Writes the same as a table, and the `most` single objects that retain most. `writer` may be NULL.
 * post: MIDDEN_OK; NO_MEMORY, IO_ERROR, MISUSE, and *error (may be NULL) says so. */
MIDDEN_API midden_status midden_memory_report(midden_heap *heap, size_t most, const midden_writer *writer,
                                              midden_error *error);

/* ---- Snapshots, in the format of Chrome's DevTools (.heapsnapshot) ---- */

/* What DevTools takes an object for. MIDDEN_NODE_OBJECT groups by name, the others by type. */
typedef enum midden_node_type {
  MIDDEN_NODE_HIDDEN = 0,
  MIDDEN_NODE_ARRAY,
  MIDDEN_NODE_STRING,
  MIDDEN_NODE_OBJECT,
  MIDDEN_NODE_CODE,
  MIDDEN_NODE_CLOSURE,
  MIDDEN_NODE_REGEXP,
  MIDDEN_NODE_NUMBER,
  MIDDEN_NODE_NATIVE
} midden_node_type;

/* How an object is shown: at first as a MIDDEN_NODE_OBJECT with the name of its kind. Bytes that are no UTF-8 become
 * U+FFFD. */
typedef struct midden_label {
  midden_node_type type;
  char name[256];
} midden_label;
typedef void (*midden_label_function)(void *context, const void *object, size_t size, uint16_t kind_id,
                                      midden_label *label);

typedef struct midden_snapshot_options {
  midden_label_function label; /* NULL: none */
  void *label_context;
  bool identify; /* gives each object an identity hash (objects.h: 22 to 43 bytes each) unless it has one, so that an object
                    has the same id in all snapshots. Otherwise only those that have one; the others' ids are their
                    addresses', good until a collection moves them or another object comes to lie there. */
} midden_snapshot_options;

/* Writes what the roots reach, with a name for each edge. `options` may be NULL. One pass over it is written as it is made;
 * the strings come last. post: MIDDEN_OK; NO_MEMORY, IO_ERROR, BAD_ARGUMENT, MISUSE, and *error (may be NULL) says so: then
 * what was written is incomplete. */
MIDDEN_API midden_status midden_snapshot(midden_heap *heap, const midden_snapshot_options *options,
                                         const midden_writer *writer, midden_error *error);

/* The same into a file, which is replaced. post: as above, and on failure there is no such file. */
MIDDEN_API midden_status midden_snapshot_file(midden_heap *heap, const midden_snapshot_options *options, const char *path,
                                              midden_error *error);

MIDDEN_END_DECLARATIONS

#endif
