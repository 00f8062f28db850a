/* Conformance: MIDDEN_PACED, a full collection at the host's request that is made as the heap makes those that are due. */
#include <stdio.h>
#include <string.h>

#include "harness.h"

enum { MANY = 20000, EVERY = 100, LEAF_BYTES = 64 };

static void collect(world *here, midden_collection which) {
  ck_assert_int_eq(midden_collect(here->mutator, which), MIDDEN_OK);
}

/* Everything that nothing reaches goes, the old included; the rest is whole. */
START_TEST(it_is_full) {
  world here;
  world_open(&here, _i, NULL);
  world_list(&here, 0, 500);
  world_list(&here, 1, 500);
  collect(&here, MIDDEN_FULL); /* both are old */
  static midden_word gone;
  gone = here.slots[1];
  ck_assert_int_eq(midden_weak_add(here.heap, &gone, MIDDEN_WEAK_SHORT), MIDDEN_OK);
  here.slots[1] = 0;
  stack_wipe();
  midden_statistics before = world_statistics(&here);
  collect(&here, MIDDEN_PACED);
  midden_statistics after = world_statistics(&here);
  ck_assert_uint_eq(after.collections, before.collections + 1);
  ck_assert_uint_eq(after.requested_collections, before.requested_collections + 1);
  ck_assert_uint_eq(after.minor_collections, before.minor_collections);
  if (here.config.stack == MIDDEN_STACK_PRECISE) { /* else the stack may hold it */
    ck_assert_uint_eq(gone, 0);
    ck_assert_uint_eq(after.live_objects, 500);
  }
  world_list_check(&here, 0, 500);
  world_close(&here);
}
END_TEST

/* What a request moves when one of a hundred leaves in a long sequence has died. */
static uint64_t moved_by(int index, midden_collection which, const char *options) {
  world here;
  world_open(&here, index, options);
  here.slots[0] = (uintptr_t)world_vector(&here, MANY);
  for (size_t i = 0; i < MANY; i++) {
    void *object = world_leaf(&here, LEAF_BYTES, i);
    vector *kept = (vector *)here.slots[0];
    midden_store(here.mutator, kept, &kept->elements[i], object);
  }
  collect(&here, MIDDEN_FULL);
  for (size_t i = 0; i < MANY; i += EVERY) ((vector *)here.slots[0])->elements[i] = 0;
  uint64_t before = world_statistics(&here).objects_moved;
  stack_wipe();
  collect(&here, which);
  for (size_t i = 0; i < MANY; i++) {
    const void *leaf = (const void *)((const vector *)here.slots[0])->elements[i];
    if (i % EVERY == 0) {
      EXPECT(leaf == NULL, "leaf %zu", i);
    } else {
      EXPECT_LEAF(leaf, LEAF_BYTES, i);
    }
  }
  uint64_t moved = world_statistics(&here).objects_moved - before;
  world_close(&here);
  return moved;
}

/* Compaction leaves a dense beginning alone, unless dense-span says otherwise; a full collection closes every gap. */
START_TEST(dense_beginnings_stay) {
  bool slides = strcmp(combination_at(_i)->collector, "mark-compact") == 0; /* the option is its own */
  uint64_t paced = moved_by(_i, MIDDEN_PACED, "heap-initial=16M"), full = moved_by(_i, MIDDEN_FULL, "heap-initial=16M");
  if (!slides) {
    ck_assert_uint_eq(paced > 0, full > 0);
    return;
  }
  ck_assert_uint_lt(paced, 2000); /* what lies behind the dense part */
  ck_assert_uint_gt(full, 15000);
  ck_assert_uint_gt(moved_by(_i, MIDDEN_PACED, "heap-initial=16M,dense-span=100"), 15000);
}
END_TEST

/* post: how many allocations collect-share has refused after so many collections in a row. */
static uint64_t refused_after(int index, midden_collection which) {
  world here;
  world_open(&here, index, "collect=asked,collect-share=1,verify=off,heap-limit=64M");
  world_list(&here, 0, 5000);
  for (int i = 0; i < 20; i++) collect(&here, which);
  for (size_t i = 0; i < 1000 && midden_alloc_sized(here.mutator, here.leaf, 2000); i++) continue;
  uint64_t refused = world_statistics(&here).share_refusals;
  world_list_check(&here, 0, 5000);
  world_close(&here);
  return refused;
}

/* A heap that does nothing but collect gives up, whoever says when. */
START_TEST(it_counts_for_the_share) {
  ck_assert_uint_eq(refused_after(_i, MIDDEN_PACED), 1);
  ck_assert_uint_eq(refused_after(_i, MIDDEN_FULL), 0);
}
END_TEST

static char last_line[512];
static void keep_line(void *context, const char *line) {
  (void)context;
  snprintf(last_line, sizeof last_line, "%s", line);
}

/* The log tells it from other requests. */
START_TEST(the_log_says_so) {
  world here;
  midden_config config = combination_config(_i);
  strcpy(config.log, "stderr");
  config.report = keep_line;
  world_open_config(&here, _i, &config);
  collect(&here, MIDDEN_PACED);
  ck_assert_msg(strstr(last_line, " full paced: ") != NULL, "%s", last_line);
  collect(&here, MIDDEN_FULL);
  ck_assert_msg(strstr(last_line, " full request: ") != NULL, "%s", last_line);
  world_close(&here);
}
END_TEST

START_TEST(refusals) {
  world here;
  world_open(&here, _i, NULL);
  bool collects = here.combination->collects;
  ck_assert_int_eq(midden_collect(here.mutator, MIDDEN_PACED), collects ? MIDDEN_OK : MIDDEN_UNSUPPORTED);
  ck_assert_int_eq(midden_collect(here.mutator, (midden_collection)(MIDDEN_PACED + 1)), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_collect(NULL, MIDDEN_PACED), MIDDEN_MISUSE);
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {it_is_full, COLLECTING},
      {dense_beginnings_stay, COLLECTING | CALM},
      {it_counts_for_the_share, COLLECTING | CALM},
      {the_log_says_so, COLLECTING | CALM},
      {refusals, CALM},
  };
  return run_combinations("paced", tests, COUNT_OF(tests));
}
