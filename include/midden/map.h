/* A map of the heap: its pages in address order as a picture that shows at a glance how full they are, which kinds they
 * hold, what is old in them, and what is pinned. For questions of fragmentation: what keeps the memory, and where.
 *
 * A capture notes what the map shows, so that the heap before and after a collection can be shown side by side:
 *
 *   midden_map *maps[2];
 *   maps[0] = midden_map_capture(heap, "before", NULL);
 *   midden_collect(mutator, MIDDEN_FULL);
 *   maps[1] = midden_map_capture(heap, "after", NULL);
 *   midden_map_save(maps, 2, "map.html", NULL);
 *
 * The result is one HTML page without references to others, which is also well-formed XML: an SVG picture for each
 * capture, buttons for what the colours say, and a table of the bytes of each kind. */
#ifndef MIDDEN_MAP_H
#define MIDDEN_MAP_H

#include "midden/heap.h"
#include "midden/writer.h"

MIDDEN_BEGIN_DECLARATIONS

typedef struct midden_map midden_map;

/* Notes what the heap's pages hold now. `title` is copied, up to 63 bytes.
 * post: a capture, which the host frees before it closes the heap's memory source; or NULL and *error (may be NULL):
 * NO_MEMORY, BAD_ARGUMENT, MISUSE. Takes 12 bytes for each page of 8 KiB, outside heap-limit. Cost: a pass over the
 * bitmaps. Owner thread, not from inside a collection. Does not collect or move. */
MIDDEN_API midden_map *midden_map_capture(midden_heap *heap, const char *title, midden_error *error);

/* Frees a capture. NULL is allowed. Any thread, also after the heap was closed. */
MIDDEN_API void midden_map_free(midden_map *map);

/* Writes one page that shows `count` captures, 1 to 8, from left to right, in one scale: a square is one page, or so many
 * that a picture has no more than 4096 squares. post: MIDDEN_OK; or *error (may be NULL) says why not: BAD_ARGUMENT,
 * IO_ERROR. Any thread. */
MIDDEN_API midden_status midden_map_write(midden_map *const *maps, size_t count, const midden_writer *writer,
                                          midden_error *error);

/* The same into a file, which is replaced. */
MIDDEN_API midden_status midden_map_save(midden_map *const *maps, size_t count, const char *path, midden_error *error);

/* Captures the heap as it is and saves it, in one call. post: as for both. */
MIDDEN_API midden_status midden_heap_map(midden_heap *heap, const char *path, midden_error *error);

MIDDEN_END_DECLARATIONS

#endif
