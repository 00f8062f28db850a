/* The model's use of what the heap keeps beside objects: identities, external memory, raw blocks, pins. See
 * model_internal.h. */
#include <string.h>

#include "model_internal.h"

/* Asks an object for its hash, or has it keep more or less outside the heap. */
void model_use_side_tables(model *here) {
  void *object;
  uint32_t index = model_walk(here, &object);
  if (index == 0) return;
  shadow *at = &here->shadows[index];
  size_t bytes = model_below(here, 2000);
  switch (model_below(here, 3)) {
    case 0: {
      uint64_t identity = midden_identity_hash(here->mutator, object);
      if (identity == 0 || (at->identity != 0 && at->identity != identity)) model_fail(here, "an identity hash has changed");
      at->identity = identity;
      break;
    }
    case 1: {
      midden_status status = midden_external_add(here->mutator, object, bytes);
      if (status == MIDDEN_OK) at->external += bytes;
      else if (status != MIDDEN_NO_MEMORY) model_fail(here, "midden_external_add: %s", midden_status_name(status));
      break;
    }
    default: {
      midden_status status = midden_external_remove(here->mutator, object, bytes);
      if (at->external >= bytes && (bytes > 0 || at->external > 0) && status != MIDDEN_OK)
        model_fail(here, "midden_external_remove: %s", midden_status_name(status));
      if (at->external < bytes && status != MIDDEN_BAD_ARGUMENT)
        model_fail(here, "more was removed than is counted");
      if (status == MIDDEN_OK) at->external -= bytes;
    }
  }
}

/* ---- Blocks ---- */

void model_bytes_fill(model *here, model_bytes *filled) {
  filled->seed = (unsigned char)model_below(here, 256);
  for (size_t at = 0; at < filled->size; at++) filled->bytes[at] = (unsigned char)(filled->seed + at);
}

enum { PERIOD = 256 }; /* of the content */

static void check_first(model *here, const model_bytes *expected, size_t count, const char *what, size_t which) {
  if (count > PERIOD && memcmp(expected->bytes, expected->bytes + PERIOD, count - PERIOD) == 0) count = PERIOD;
  for (size_t at = 0; at < count; at++) {
    if (expected->bytes[at] == (unsigned char)(expected->seed + at)) continue;
    model_fail(here, "%s %zu of %zu bytes has changed at %zu", what, which, expected->size, at);
    return;
  }
}

void model_bytes_check(model *here, const model_bytes *expected, const char *what, size_t which) {
  if (expected->bytes != NULL) check_first(here, expected, expected->size, what, which);
}

static void free_block(model *here, size_t i) {
  if (midden_block_free(here->mutator, here->blocks[i].bytes) != MIDDEN_OK) model_fail(here, "midden_block_free");
  here->blocks[i].bytes = NULL;
}

/* Takes, changes or gives back a raw block. */
void model_use_block(model *here) {
  size_t i = model_below(here, MODEL_BLOCKS);
  model_bytes *block = &here->blocks[i];
  model_bytes_check(here, block, "block", i);
  if (block->bytes != NULL && model_below(here, 3) == 0) {
    free_block(here, i);
    return;
  }
  size_t size = 1 + model_below(here, model_below(here, 10) == 0 ? 40000 : 600), old = block->bytes ? block->size : 0;
  unsigned char *changed = midden_block_realloc(here->mutator, block->bytes, size);
  if (changed == NULL) {
    midden_status status = midden_last_status(here->mutator);
    if (status != MIDDEN_NO_MEMORY) model_fail(here, "midden_block_realloc: %s", midden_status_name(status));
    if (size <= old) model_fail(here, "a block of %zu bytes could not become one of %zu", old, size);
    return;
  }
  block->bytes = changed;
  block->size = size;
  check_first(here, block, size < old ? size : old, "realloc: block", i);
  if (midden_block_size(here->mutator, changed) < size) model_fail(here, "block %zu is too small", i);
  model_bytes_fill(here, block);
}

/* Buffers own blocks, too. */
void model_check_blocks(model *here, const midden_statistics *statistics) {
  size_t blocks = statistics->buffers, bytes = statistics->buffer_bytes;
  for (size_t i = 0; i < MODEL_BLOCKS; i++) {
    model_bytes_check(here, &here->blocks[i], "block", i);
    if (here->blocks[i].bytes == NULL) continue;
    blocks++;
    bytes += midden_block_size(here->mutator, here->blocks[i].bytes);
  }
  if (statistics->blocks != blocks || statistics->block_bytes != bytes)
    model_fail(here, "%zu blocks of %zu bytes are counted, and %zu of %zu held", statistics->blocks,
               statistics->block_bytes, blocks, bytes);
}

/* ---- Pins ---- */

/* Takes one pin away, and forgets the object with the last; or pins another. */
static void unpin(model *here, size_t i) {
  midden_status status = midden_unpin(here->mutator, (void *)here->pins[i]);
  if (status != MIDDEN_OK) model_fail(here, "midden_unpin: %s", midden_status_name(status));
  if (--here->pin_counts[i] > 0) return;
  here->pins[i] = 0;
  here->roots[MODEL_HOST_ROOTS + i].holds = 0;
}

void model_change_pin(model *here) {
  size_t i = model_below(here, MODEL_PINS);
  void *object = (void *)here->pins[i];
  if (object != NULL && model_below(here, 3) > 0) {
    unpin(here, i);
    return;
  }
  uint32_t index = object != NULL ? here->roots[MODEL_HOST_ROOTS + i].holds : model_walk(here, &object);
  if (index == 0) return;
  midden_status status = midden_pin(here->mutator, object);
  if (status != MIDDEN_OK) model_fail(here, "midden_pin: %s", midden_status_name(status));
  here->pins[i] = (uintptr_t)object;
  here->pin_counts[i]++;
  here->roots[MODEL_HOST_ROOTS + i].holds = index;
}

void model_memory_shrink(model *here) {
  for (size_t i = 0; i < MODEL_BLOCKS; i += 2) free_block(here, i);
  for (size_t i = 0; i < MODEL_PINS; i++)
    while (here->pin_counts[i] > 0) unpin(here, i);
}

/* Objects that are pinned twice count once. */
void model_check_pins(model *here, const midden_statistics *statistics) {
  size_t pinned = 0;
  for (size_t i = 0; i < here->root_count; i++) {
    const model_root *root = &here->roots[i];
    bool known = !root->pinned || root->holds == 0;
    for (size_t j = 0; j < i && !known; j++) known = here->roots[j].pinned && here->roots[j].holds == root->holds;
    pinned += !known;
  }
  if (statistics->host_pins != pinned)
    model_fail(here, "%zu objects are counted as pinned, and %zu are", statistics->host_pins, pinned);
}
