/* Conformance: kinds that the host traces, kinds that pin while traced, ambiguous layouts, pinned kinds. */
#include <string.h>

#include "harness.h"

enum { TARGET_BYTES = 40, ROUNDS = 3 };

static midden_kind define(world *here, const midden_shape *shape) {
  midden_error error = {MIDDEN_OK, ""};
  midden_kind kind = midden_kind_define(here->heap, shape, &error);
  ck_assert_msg(kind.id != 0, "kind %s: %s", shape->name, error.message);
  return kind;
}

/* A host object: `count` references at every other word, counted from the end; the words between them
 * and the count itself are none. */
typedef struct record {
  uintptr_t count;
  uintptr_t asked; /* bytes asked for */
  midden_word words[];
} record;

typedef struct trace_log {
  uint64_t calls;
  uint64_t too_small; /* calls with a size less than was asked for */
  bool by_range;
} trace_log;

static void trace_record(void *object, size_t size, midden_visitor *visitor, void *context) {
  record *traced = object;
  trace_log *log = context;
  log->calls++;
  if (size < traced->asked) log->too_small++;
  if (log->by_range) {
    midden_visit_range(visitor, traced->words, traced->count);
  } else {
    for (size_t i = traced->count; i-- > 0;) midden_visit(visitor, &traced->words[i * 2]);
  }
}

static record *make_record(world *here, midden_kind kind, size_t count, size_t stride) {
  size_t size = sizeof(record) + count * stride * sizeof(midden_word);
  record *made = midden_alloc_sized(here->mutator, kind, size);
  ck_assert_ptr_nonnull(made);
  made->asked = size;
  made->count = count;
  here->slots[0] = (uintptr_t)made;
  for (size_t i = 0; i < count; i++) {
    if (i % 3 == 0) world_leaf(here, TARGET_BYTES, 0); /* gaps, so that compaction moves what follows */
    void *target = world_leaf(here, TARGET_BYTES, i);
    made = (record *)here->slots[0];
    midden_store(here->mutator, made, &made->words[i * stride], target);
    for (size_t k = 1; k < stride; k++) made->words[i * stride + k] = (uintptr_t)target;
  }
  return made;
}

static void check_record(const world *here, size_t count, size_t stride) {
  const record *made = (const record *)here->slots[0];
  ck_assert_uint_eq(made->count, count);
  for (size_t i = 0; i < count; i++) EXPECT_LEAF((const void *)made->words[i * stride], TARGET_BYTES, i);
}

START_TEST(traced_edge_by_edge) {
  world here;
  world_open(&here, _i, NULL);
  trace_log log = {0, 0, false};
  midden_kind kind = define(&here, &(midden_shape){.name = "record", .refs = MIDDEN_REFS_TRACE,
                                                   .trace = trace_record, .trace_context = &log});
  static const size_t counts[] = {0, 1, 9, 60, 2500};
  for (size_t c = 0; c < COUNT_OF(counts); c++) {
    if (here.combination->stress != MIDDEN_STRESS_OFF && counts[c] > 1000) continue;
    make_record(&here, kind, counts[c], 2);
    for (int round = 0; round < ROUNDS; round++) {
      uint64_t calls = log.calls;
      uintptr_t lie = counts[c] ? ((record *)here.slots[0])->words[1] : 0;
      world_collect(&here);
      if (here.combination->collects) ck_assert_uint_gt(log.calls, calls);
      check_record(&here, counts[c], 2);
      if (counts[c]) ck_assert_uint_eq(((record *)here.slots[0])->words[1], lie);
      world_churn(&here, 30);
    }
  }
  ck_assert_uint_eq(log.too_small, 0);
  world_close(&here);
}
END_TEST

START_TEST(traced_by_range) {
  world here;
  world_open(&here, _i, NULL);
  trace_log log = {0, 0, true};
  midden_kind kind = define(&here, &(midden_shape){.name = "record", .refs = MIDDEN_REFS_TRACE,
                                                   .trace = trace_record, .trace_context = &log});
  make_record(&here, kind, 70, 1);
  for (int round = 0; round < ROUNDS; round++) {
    world_churn(&here, 30);
    world_collect(&here);
    check_record(&here, 70, 1);
  }
  ck_assert_uint_eq(log.too_small, 0);
  world_close(&here);
}
END_TEST

/* References that the host keeps encoded: decoded into a local, visited, encoded again if it has changed. */
#define ENCODED(word) ((word) ^ UINT64_C(0xa5a5a5a5a5a5a5a5))

static void trace_encoded(void *object, size_t size, midden_visitor *visitor, void *context) {
  record *traced = object;
  (void)size;
  (void)context;
  for (size_t i = 0; i < traced->count; i++) {
    midden_word decoded = ENCODED(traced->words[i]), before = decoded;
    midden_visit(visitor, &decoded);
    if (decoded != before) traced->words[i] = ENCODED(decoded);
  }
}

START_TEST(encoded_references) {
  world here;
  world_open(&here, _i, NULL);
  midden_kind kind = define(&here, &(midden_shape){.name = "encoded", .refs = MIDDEN_REFS_TRACE, .trace = trace_encoded});
  enum { OBJECTS = 20, WORDS = 9 };
  for (size_t i = 0; i < OBJECTS; i++) {
    record *made = midden_alloc_sized(here.mutator, kind, sizeof(record) + WORDS * sizeof(midden_word));
    ck_assert_ptr_nonnull(made);
    here.slots[i] = (uintptr_t)made;
    for (size_t w = 0; w < WORDS; w++) {
      void *target = world_leaf(&here, TARGET_BYTES, i * WORDS + w);
      made = (record *)here.slots[i];
      made->words[w] = ENCODED((uintptr_t)target);
      made->count = w + 1;
      midden_written(here.mutator, made, &made->words[w], 1);
    }
  }
  for (int round = 0; round < ROUNDS; round++) {
    world_churn(&here, 20);
    world_collect(&here);
    for (size_t i = 0; i < OBJECTS; i++)
      for (size_t w = 0; w < WORDS; w++) {
        const record *made = (const record *)here.slots[i];
        EXPECT_LEAF((const void *)ENCODED(made->words[w]), TARGET_BYTES, i * WORDS + w);
      }
  }
  world_close(&here);
}
END_TEST

/* words[0] is visited as an edge, words[1] pinned, words[2..] as ambiguous. */
static void trace_pinning(void *object, size_t size, midden_visitor *visitor, void *context) {
  record *traced = object;
  (void)size;
  (void)context;
  if (traced->count > 0) midden_visit(visitor, &traced->words[0]);
  if (traced->count > 1) midden_visit_pinned(visitor, (const void *)traced->words[1]);
  if (traced->count > 2) midden_visit_ambiguous(visitor, &traced->words[2], traced->count - 2);
}

/* What a traced object pins stays where it is and is kept; what it visits as an edge moves. The
 * targets are also reachable by edges that are visited before and after the pinning object. */
START_TEST(pins_found_while_tracing) {
  world here;
  world_open(&here, _i, NULL);
  midden_kind kind = define(&here, &(midden_shape){.name = "pinning", .refs = MIDDEN_REFS_TRACE,
                                                   .trace = trace_pinning, .flags = MIDDEN_KIND_TRACE_PINS});
  enum { OBJECTS = 40, WORDS = 6 };
  for (size_t i = 0; i < OBJECTS; i++) {
    size_t size = sizeof(record) + WORDS * sizeof(midden_word);
    record *made = midden_alloc_sized(here.mutator, kind, size);
    ck_assert_ptr_nonnull(made);
    made->asked = size;
    here.slots[100 + i] = (uintptr_t)made;
    /* Both orders of discovery: an edge in a lower slot, or in a higher one. */
    size_t edge_slot = i % 2 ? i : 200 + i;
    here.slots[edge_slot] = (uintptr_t)world_vector(&here, WORDS);
    for (size_t w = 0; w < WORDS; w++) {
      void *target = world_leaf(&here, TARGET_BYTES, i * WORDS + w);
      made = (record *)here.slots[100 + i];
      size_t interior = w < 2 ? 0 : w * 7;
      midden_store_word(here.mutator, made, &made->words[w], (uintptr_t)target + interior);
      made->count = w + 1;
      vector *edges = (vector *)here.slots[edge_slot];
      midden_store(here.mutator, edges, &edges->elements[w], target);
    }
  }
  static uintptr_t addresses[OBJECTS][WORDS];
  for (int round = 0; round < 2 * ROUNDS; round++) {
    for (size_t i = 0; i < OBJECTS; i++)
      for (size_t w = 0; w < WORDS; w++) addresses[i][w] = ((record *)here.slots[100 + i])->words[w];
    if (round == ROUNDS) memset(&here.slots[0], 0, 100 * sizeof(midden_word)); /* now only pins hold these */
    world_churn(&here, 10);
    world_collect(&here);
    for (size_t i = 0; i < OBJECTS; i++)
      for (size_t w = 0; w < WORDS; w++) {
        uintptr_t word = ((record *)here.slots[100 + i])->words[w];
        if (w > 0) ck_assert_uint_eq(word, addresses[i][w]);
        uintptr_t target = word - (w < 2 ? 0 : w * 7);
        ck_assert_msg(leaf_is((const void *)target, TARGET_BYTES, i * WORDS + w), "object %zu, word %zu", i, w);
        if (i % 2 == 0) ck_assert_uint_eq(((vector *)here.slots[200 + i])->elements[w], target);
      }
  }
  if (here.combination->collects) ck_assert_uint_ge(world_statistics(&here).objects_pinned, OBJECTS);
  world_close(&here);
}
END_TEST

/* In an ambiguous layout every word pins what it points to, into, or just past. */
START_TEST(layout_ambiguous) {
  world here;
  world_open(&here, _i, NULL);
  midden_kind kind = define(&here, &(midden_shape){.name = "ambiguous", .refs = MIDDEN_REFS_AMBIGUOUS});
  enum { WORDS = 24, BYTES = 64 };
  here.slots[0] = (uintptr_t)midden_alloc_sized(here.mutator, kind, WORDS * sizeof(midden_word));
  uintptr_t expected[WORDS];
  for (size_t w = 0; w < WORDS; w++) {
    void *target = world_leaf(&here, BYTES, w);
    midden_word *object = (midden_word *)here.slots[0];
    expected[w] = (uintptr_t)target + (w % 3 == 0 ? 0 : w % 3 == 1 ? 1 + w * 2 : BYTES); /* start, into, past */
    midden_store_word(here.mutator, object, &object[w], expected[w]);
  }
  for (int round = 0; round < ROUNDS; round++) {
    world_churn(&here, 200);
    world_collect(&here);
    const midden_word *object = (const midden_word *)here.slots[0];
    for (size_t w = 0; w < WORDS; w++) {
      ck_assert_uint_eq(object[w], expected[w]);
      uintptr_t target = object[w] - (w % 3 == 0 ? 0 : w % 3 == 1 ? 1 + w * 2 : BYTES);
      ck_assert_msg(leaf_is((const void *)target, BYTES, w), "round %d: target %zu is gone", round, w);
    }
  }
  world_close(&here);
}
END_TEST

/* Words that are no addresses do no harm in an ambiguous layout: every pattern of bits. */
START_TEST(layout_ambiguous_with_noise) {
  world here;
  world_open(&here, _i, NULL);
  midden_kind kind = define(&here, &(midden_shape){.name = "noise", .refs = MIDDEN_REFS_AMBIGUOUS});
  uint64_t random = 5;
  static uintptr_t expected[500];
  here.slots[0] = (uintptr_t)midden_alloc_sized(here.mutator, kind, sizeof expected);
  here.slots[1] = (uintptr_t)world_leaf(&here, 1000, 1);
  midden_word *object = (midden_word *)here.slots[0];
  for (size_t i = 0; i < COUNT_OF(expected); i++) {
    uintptr_t near = here.slots[1] + test_random_below(&random, 1 << 24) - (1 << 23);
    expected[i] = object[i] = i % 2 ? near : test_random(&random) >> test_random_below(&random, 64);
  }
  world_churn(&here, 50);
  world_collect(&here);
  object = (midden_word *)here.slots[0];
  for (size_t i = 0; i < COUNT_OF(expected); i++) ck_assert_uint_eq(object[i], expected[i]);
  EXPECT_LEAF((const void *)here.slots[1], 1000, 1);
  world_close(&here);
}
END_TEST

/* Objects of a pinned kind never move; their references are rewritten all the same. */
START_TEST(pinned_kinds_stay) {
  world here;
  world_open(&here, _i, NULL);
  midden_kind kind = define(&here, &(midden_shape){.name = "pinned", .size = 24, .refs = MIDDEN_REFS_ALL,
                                                   .flags = MIDDEN_KIND_PINNED});
  size_t count = world_count(&here, 1500, 80);
  static uintptr_t addresses[WORLD_SLOTS];
  for (size_t i = 0; i < count; i++) {
    midden_word *object = midden_alloc(here.mutator, kind);
    ck_assert_ptr_nonnull(object);
    here.slots[i] = addresses[i] = (uintptr_t)object;
    void *target = world_leaf(&here, TARGET_BYTES, i);
    ck_assert_uint_eq(here.slots[i], addresses[i]);
    midden_store(here.mutator, object, &object[1], target);
    if (i % 3 == 2) here.slots[i - 1] = 0;
  }
  for (int round = 0; round < ROUNDS; round++) {
    world_churn(&here, 30);
    world_collect(&here);
    for (size_t i = 0; i < count; i++) {
      if (here.slots[i] == 0) continue;
      ck_assert_uint_eq(here.slots[i], addresses[i]);
      EXPECT_LEAF((const void *)((midden_word *)addresses[i])[1], TARGET_BYTES, i);
    }
  }
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {traced_edge_by_edge, ANYWHERE},
      {traced_by_range, ANYWHERE},
      {encoded_references, ANYWHERE},
      {pins_found_while_tracing, ANYWHERE},
      {layout_ambiguous, ANYWHERE},
      {layout_ambiguous_with_noise, ANYWHERE},
      {pinned_kinds_stay, ANYWHERE},
  };
  return run_combinations("trace", tests, COUNT_OF(tests));
}
