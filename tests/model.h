/* The model: a random object graph in a heap, with a shadow copy outside it.
 *
 * Objects of many kinds (pairs, bitmaps, vectors, tables, leaves, host-traced, pinned, pinning, ambiguous,
 * large) are made, linked, dropped and overwritten at random; every so often the graph that is reachable
 * from the roots is compared with the shadow: same shape, same content, nothing moved that must stay, and,
 * where nothing ambiguous is about, nothing live that is not reachable. All randomness comes from one seed,
 * and no decision depends on an address, so a seed replays a failure.
 *
 * It uses the public interface only, keeps no global state, and does not abort: midden-stress and the
 * Check test share it. */
#ifndef MIDDEN_TESTS_MODEL_H
#define MIDDEN_TESTS_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "midden/midden.h"

typedef struct model_result {
  bool failed;
  char message[400];       /* what differed, when failed */
  uint64_t operations;     /* done so far */
  uint64_t comparisons;    /* of the whole graph with its shadow */
  uint64_t defragmented;   /* objects moved by midden_defragment */
  uint64_t refused;        /* allocations that returned NULL because memory was out */
  midden_statistics heap;  /* at the end */
} model_result;

/* Opens a heap with `config`, does `budget` random operations from `seed`, compares, closes. `switching`: changes
 * the collector under way, to any that the other options allow.
 * post: result->failed says whether heap and shadow ever disagreed. */
void model_run(const midden_config *config, uint64_t seed, uint64_t budget, bool switching, model_result *result);

#endif
