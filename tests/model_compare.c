/* The model's comparison: the graph in the heap against its shadow. See model_internal.h.
 *
 * Both graphs are walked in step from the roots. A shadow that is reached for the first time fixes the
 * address where its object is; whenever it is reached again the address must be the same. Serial numbers in
 * the objects make the opposite direction certain: two shadows never share an object. */
#include <stdlib.h>
#include <string.h>

#include "model_internal.h"

typedef struct walk {
  model *here;
  uint64_t stamp;
  uint32_t pending; /* entries of here->work */
  uint64_t objects;
  uint64_t bytes;   /* of cells */
  uint64_t identities, external; /* objects with a hash, bytes outside the heap */
  uint64_t of_shape[MODEL_SHAPES];
} walk;

/* A word that should hold `index`, `interior` bytes into it. */
static void reach(walk *state, uintptr_t word, uint32_t index, size_t interior, const char *where, size_t which) {
  model *here = state->here;
  if (index == 0) {
    if (word != 0) model_fail(here, "%s %zu should be NULL and is %#zx", where, which, (size_t)word);
    return;
  }
  shadow *expected = &here->shadows[index];
  uintptr_t address = word - interior;
  if (expected->seen == state->stamp) {
    if (expected->address != address)
      model_fail(here, "%s %zu leads to %#zx; object %llu was found at %#zx", where, which, (size_t)address,
                 (unsigned long long)expected->serial, (size_t)expected->address);
    return;
  }
  uint64_t epoch = midden_moved_epoch(here->mutator);
  if (expected->seen != 0 && expected->epoch == epoch && expected->address != address)
    model_fail(here, "object %llu has moved from %#zx to %#zx, and the epoch is the same", (unsigned long long)expected->serial,
               (size_t)expected->address, (size_t)address);
  expected->seen = state->stamp;
  expected->address = address;
  expected->epoch = epoch;
  if (midden_object_at(here->heap, (void *)address) != (void *)address) {
    model_fail(here, "%s %zu should lead to object %llu (%s) and leads to %#zx, where none is", where, which,
               (unsigned long long)expected->serial, midden_kind_name(here->heap, here->kinds[expected->shape].id),
               (size_t)address);
    return;
  }
  here->work[state->pending++] = index;
}

static void inspect(walk *state, uint32_t index) {
  model *here = state->here;
  shadow *expected = &here->shadows[index];
  void *object = (void *)expected->address;
  unsigned long long serial = expected->serial;
  const char *kind = midden_kind_name(here->heap, here->kinds[expected->shape].id);
  if (midden_kind_of(here->heap, object) != here->kinds[expected->shape].id ||
      midden_kind_id_of(here->mutator, object) != here->kinds[expected->shape].id) {
    model_fail(here, "object %llu (%s) has another kind", serial, kind);
  } else if (midden_size_of(here->heap, object) < expected->bytes) {
    model_fail(here, "object %llu (%s) of %u bytes is in a smaller cell", serial, kind, expected->bytes);
  } else if (!model_content_is(expected, object)) {
    model_fail(here, "object %llu (%s) of %u bytes lost its content: its first word is %#zx", serial, kind,
               expected->bytes, (size_t) * (midden_word *)object);
  } else if (expected->fixed_at != 0 && expected->fixed_at != expected->address) {
    model_fail(here, "object %llu (%s) must not move but did", serial, kind);
  }
  if (expected->shape == MODEL_FINALIZED && expected->serial < MODEL_SERIALS &&
      here->finalized[expected->serial / 8] >> expected->serial % 8 & 1)
    model_fail(here, "object %llu was finalized and is reachable", serial);
  if (expected->identity != 0 && midden_identity_hash(here->mutator, object) != expected->identity)
    model_fail(here, "object %llu (%s) has another identity", serial, kind);
  if (midden_external_of(here->mutator, object) != expected->external)
    model_fail(here, "object %llu (%s) has %zu bytes outside the heap, not %zu", serial, kind,
               midden_external_of(here->mutator, object), expected->external);
  if (here->result->failed) return;
  state->identities += expected->identity != 0;
  state->external += expected->external;
  state->objects++;
  state->of_shape[expected->shape]++;
  state->bytes += midden_size_of(here->heap, object);
  for (uint32_t i = 0; i < expected->edge_count && !here->result->failed; i++) {
    uintptr_t word = *model_edge_slot(expected, object, i);
    reach(state, word, expected->edges[i], expected->interior ? expected->interior[i] : 0, kind, i);
  }
}

/* What the walk did not reach is garbage in the heap too. */
static void free_unreached(model *here, uint64_t stamp) {
  for (uint32_t i = 1; i < here->shadow_count; i++) {
    shadow *at = &here->shadows[i];
    if (at->serial == 0 || at->seen == stamp) continue;
    free(at->edges);
    free(at->interior);
    at->edges = NULL;
    at->interior = NULL;
    at->serial = 0;
    here->free_shadows[here->free_count++] = i;
    here->live--;
  }
}

/* What is counted at any time. `certain`: a full collection was just made, and nothing is ambiguous. */
static void check_figures(model *here, const walk *state, bool certain) {
  midden_statistics statistics;
  midden_statistics_read(here->heap, &statistics);
  model_check_blocks(here, &statistics);
  model_check_pins(here, &statistics);
  model_check_buffers(here, &statistics, certain);
  model_check_marked(here);
  for (int i = 0; i < MODEL_SHAPES; i++) {
    midden_usage usage = {0, 0, 0, 0};
    if (!(here->shapes >> i & 1)) continue;
    midden_usage_of_kind(here->heap, here->kinds[i].id, &usage);
    if (usage.objects < state->of_shape[i] || (certain && usage.objects != state->of_shape[i]))
      model_fail(here, "%zu objects of kind %s are counted, and %llu reachable", usage.objects,
                 midden_kind_name(here->heap, here->kinds[i].id), (unsigned long long)state->of_shape[i]);
  }
  if (statistics.committed_bytes != statistics.span_bytes + statistics.free_bytes + statistics.metadata_bytes ||
      statistics.peak_committed_bytes < statistics.committed_bytes || statistics.used_bytes > statistics.span_bytes)
    model_fail(here, "%zu used, %zu in spans, %zu committed and %zu at the peak do not fit together",
               statistics.used_bytes, statistics.span_bytes, statistics.committed_bytes, statistics.peak_committed_bytes);
  if (statistics.pressure_calls != here->pressure_calls)
    model_fail(here, "%llu calls of the pressure callback are counted, not %llu",
               (unsigned long long)statistics.pressure_calls, (unsigned long long)here->pressure_calls);
}

static walk compare(model *here, bool certain) {
  walk state = {.here = here, .stamp = ++here->result->comparisons, .external = here->pool_capacity};
  for (size_t i = 0; i < here->root_count && !here->result->failed; i++)
    reach(&state, *here->roots[i].slot, here->roots[i].holds, 0, "root", i);
  model_next value = {0, 0, 0};
  do {
    while (state.pending > 0 && !here->result->failed) inspect(&state, here->work[--state.pending]);
    bool more = !here->result->failed && model_weak_next(here, state.stamp, &value);
    if (more) reach(&state, value.word, value.index, 0, "what a weak table holds", 0);
  } while (state.pending > 0 && !here->result->failed);
  for (size_t i = 0; i < MODEL_WEAK_OBJECTS; i++) {
    state.objects++;
    state.bytes += midden_size_of(here->heap, (const void *)here->weak_objects[i]);
  }
  model_count_buffers(here, &state.objects, &state.bytes);
  if (!here->result->failed) model_weak_check(here, state.stamp, certain);
  if (!here->result->failed) model_check_finalizers(here, state.stamp, state.of_shape[MODEL_FINALIZED], certain);
  if (!here->result->failed) check_figures(here, &state, certain);
  if (!here->result->failed) free_unreached(here, state.stamp);
  return state;
}

void model_compare(model *here) { compare(here, false); }

void model_compare_live(model *here, bool full) {
  midden_statistics statistics;
  midden_statistics_read(here->heap, &statistics);
  walk state = compare(here, here->exact && full);
  if (here->result->failed) return;
  bool wrong = here->exact && full ? statistics.live_objects != state.objects || statistics.live_bytes != state.bytes
                                   : statistics.live_objects < state.objects || statistics.live_bytes < state.bytes;
  if (wrong)
    model_fail(here, "%zu objects (%zu bytes) are live after the collection, but %llu (%llu bytes) are reachable",
               statistics.live_objects, statistics.live_bytes, (unsigned long long)state.objects,
               (unsigned long long)state.bytes);
  bool stale = here->exact && full
                   ? statistics.identities != state.identities || statistics.external_bytes != state.external
                   : statistics.identities < state.identities || statistics.external_bytes < state.external;
  if (stale)
    model_fail(here, "%zu hashes and %zu bytes outside the heap are counted after the collection, but %llu and %llu "
               "belong to what is reachable", statistics.identities, statistics.external_bytes,
               (unsigned long long)state.identities, (unsigned long long)state.external);
}

void model_compare_figures(model *here) {
  midden_statistics heap;
  midden_usage sum = {0, 0, 0, 0}, usage;
  if (here->result->failed) return;
  midden_statistics_read(here->heap, &heap);
  for (uint16_t kind = 1; midden_kind_name(here->heap, kind) != NULL; kind++) {
    if (midden_usage_of_kind(here->heap, kind, &usage) != MIDDEN_OK) model_fail(here, "midden_usage_of_kind %u", kind);
    sum.bytes += usage.bytes;
    sum.span_bytes += usage.span_bytes;
    sum.allocations += usage.allocations;
  }
  if (heap.allocations != here->allocations || heap.requested_bytes != here->requested)
    model_fail(here, "%llu allocations of %llu bytes are counted and %llu of %llu were made",
               (unsigned long long)heap.allocations, (unsigned long long)heap.requested_bytes,
               (unsigned long long)here->allocations, (unsigned long long)here->requested);
  if (heap.used_bytes != sum.bytes || heap.allocations != sum.allocations)
    model_fail(here, "all kinds have %zu bytes of %llu allocations in use, and %zu of %llu are counted", sum.bytes,
               (unsigned long long)sum.allocations, heap.used_bytes, (unsigned long long)heap.allocations);
  if (heap.span_bytes != sum.span_bytes + heap.block_span_bytes)
    model_fail(here, "kinds have %zu bytes of spans, blocks %zu, and %zu are counted", sum.span_bytes, heap.block_span_bytes,
               heap.span_bytes);
  if (heap.committed_bytes != heap.span_bytes + heap.free_bytes + heap.metadata_bytes ||
      heap.peak_committed_bytes < heap.committed_bytes || heap.used_bytes > heap.span_bytes)
    model_fail(here, "committed %zu, in spans %zu, free %zu, metadata %zu, peak %zu, used %zu", heap.committed_bytes,
               heap.span_bytes, heap.free_bytes, heap.metadata_bytes, heap.peak_committed_bytes, heap.used_bytes);
}
