/* Raw blocks: given back by hand, never moved or freed by a collection, on the same account and limit. */
#include <stdlib.h>
#include <string.h>

#include "harness.h"

enum { BLOCKS = 700 };

typedef struct block {
  unsigned char *bytes;
  size_t size;
  uint64_t seed;
} block;

static size_t any_size(uint64_t *random) {
  switch (test_random_below(random, 12)) {
    case 0: return test_random_below(random, 9000);
    case 1: return test_random_below(random, 30) == 0 ? 33000 + test_random_below(random, 90000) : 1;
    default: return 1 + test_random_below(random, 512);
  }
}

static void fill_block(block *made, unsigned char *bytes, size_t size, uint64_t *random) {
  made->bytes = bytes;
  made->size = size;
  made->seed = test_random(random);
  leaf_fill(bytes, size, made->seed);
}

static void change(world *here, block *at, uint64_t *random) {
  size_t size = any_size(random), kept = size < at->size ? size : at->size;
  EXPECT(at->bytes == NULL || leaf_is(at->bytes, at->size, at->seed), "a block has changed");
  if (at->bytes != NULL && test_random_below(random, 2)) {
    EXPECT(midden_block_free(here->mutator, at->bytes) == MIDDEN_OK, "free");
    at->bytes = NULL;
    return;
  }
  unsigned char *bytes = at->bytes == NULL ? midden_block_alloc(here->mutator, size)
                                           : midden_block_realloc(here->mutator, at->bytes, size);
  EXPECT(bytes != NULL, "no block of %zu bytes: %s", size, midden_status_name(midden_last_status(here->mutator)));
  if (at->bytes != NULL) EXPECT(leaf_is(bytes, kept & ~(size_t)7, at->seed), "realloc lost the content");
  EXPECT((uintptr_t)bytes % (size % 16 == 0 && size > 0 ? 16 : 8) == 0, "alignment of %zu bytes", size);
  EXPECT(midden_block_size(here->mutator, bytes) == midden_good_size(size), "size of %zu bytes", size);
  fill_block(at, bytes, size, random);
}

/* Among objects that come, go and move: content and accounts are right after every step. */
START_TEST(at_random) {
  world here;
  static block blocks[BLOCKS];
  uint64_t random = 17;
  memset(blocks, 0, sizeof blocks);
  world_open(&here, _i, "heap-initial=256K");
  size_t steps = world_count(&here, 40000, combination_at(_i)->stress_value == 1 ? 1500 : 6000);
  size_t used = world_count(&here, BLOCKS, 150);
  for (size_t step = 0; step < steps; step++) {
    block *at = &blocks[test_random_below(&random, used)];
    size_t slot = test_random_below(&random, 500);
    change(&here, at, &random);
    if (step % 5 == 0) {
      pair *object = world_pair(&here);
      midden_store_word(here.mutator, object, &object->car, immediate(step));
      midden_store_word(here.mutator, object, &object->cdr, here.slots[slot]);
      here.slots[slot] = test_random_below(&random, 9) ? (uintptr_t)object : 0;
    }
    if (step % 1000 == 0) midden_collect(here.mutator, step % 2000 ? MIDDEN_FULL : MIDDEN_MINOR);
    if (step % 50) continue;
    size_t count = 0, bytes = 0;
    for (size_t i = 0; i < used; i++) {
      count += blocks[i].bytes != NULL;
      bytes += blocks[i].bytes != NULL ? midden_good_size(blocks[i].size) : 0;
    }
    midden_statistics statistics = world_statistics(&here);
    EXPECT(statistics.blocks == count && statistics.block_bytes == bytes, "%zu blocks of %zu bytes, expected %zu, %zu",
           statistics.blocks, statistics.block_bytes, count, bytes);
    EXPECT(statistics.block_span_bytes >= bytes && statistics.span_bytes >= statistics.block_span_bytes, "spans");
  }
  world_verify(&here);
  for (size_t i = 0; i < used; i++) {
    EXPECT(blocks[i].bytes == NULL || leaf_is(blocks[i].bytes, blocks[i].size, blocks[i].seed), "block %zu", i);
    EXPECT(midden_block_free(here.mutator, blocks[i].bytes) == MIDDEN_OK, "free %zu", i);
  }
  world_verify(&here);
  midden_trim(here.heap);
  midden_statistics statistics = world_statistics(&here);
  ck_assert_uint_eq(statistics.blocks + statistics.block_bytes + statistics.block_span_bytes, 0);
  world_close(&here);
}
END_TEST

/* What points to a block, at it or into it, certainly or perhaps, keeps nothing and breaks nothing. */
START_TEST(blocks_are_no_objects) {
  world here;
  world_open(&here, _i, NULL);
  midden_word ambiguous[2];
  ck_assert_int_eq(midden_root_ambiguous_add(here.heap, ambiguous, 2), MIDDEN_OK);
  for (size_t i = 0; i < 200; i++) {
    unsigned char *bytes = midden_block_alloc(here.mutator, i == 77 ? 50000 : 16 + i * 3);
    ck_assert_ptr_nonnull(bytes);
    ck_assert_ptr_null(midden_object_at(here.heap, bytes));
    ck_assert_ptr_null(midden_object_at(here.heap, bytes + 8));
    ck_assert_int_eq(midden_pin(here.mutator, bytes), MIDDEN_BAD_ARGUMENT);
    here.slots[i] = (uintptr_t)bytes;
    ambiguous[0] = (uintptr_t)bytes;
    ambiguous[1] = (uintptr_t)bytes + 9;
    vector *holder = world_vector(&here, 3);
    midden_store(here.mutator, holder, &holder->elements[1], bytes);
    here.slots[300 + i] = (uintptr_t)holder;
    midden_store(here.mutator, bytes, bytes, bytes); /* the barrier does no harm either */
    world_collect(&here);
    ck_assert_uint_eq(here.slots[i], (uintptr_t)bytes);
    ck_assert_uint_eq(((vector *)here.slots[300 + i])->elements[1], (uintptr_t)bytes);
    ck_assert_uint_eq(*(midden_word *)(void *)bytes, (uintptr_t)bytes);
    if (i % 3 == 0) { /* its pages go to objects, with the words still there */
      holder = (vector *)here.slots[300 + i];
      midden_store_word(here.mutator, holder, &holder->elements[1], 0);
      midden_block_free(here.mutator, bytes);
      here.slots[i] = here.slots[300 + i] = ambiguous[0] = ambiguous[1] = 0;
      midden_trim(here.heap);
      world_churn(&here, 20);
    }
  }
  world_close(&here);
}
END_TEST

/* References in a block count where the host says so. */
START_TEST(traced_when_asked) {
  world here;
  world_open(&here, _i, NULL);
  midden_word *table = midden_block_alloc(here.mutator, 64 * sizeof *table);
  memset(table, 0, 64 * sizeof *table);
  ck_assert_int_eq(midden_root_range_add(here.heap, table, 64), MIDDEN_OK);
  for (size_t i = 0; i < 64; i++) table[i] = (uintptr_t)world_leaf(&here, 40 + i, i);
  stack_wipe();
  world_collect(&here);
  world_churn(&here, 200);
  for (size_t i = 0; i < 64; i++) EXPECT_LEAF((void *)table[i], 40 + i, i);
  midden_root_remove(here.heap, table);
  midden_block_free(here.mutator, table);
  stack_wipe();
  world_collect(&here);
  if (here.combination->collects && here.combination->stack == MIDDEN_STACK_PRECISE)
    ck_assert_uint_eq(world_statistics(&here).live_objects, 0);
  world_close(&here);
}
END_TEST

START_TEST(the_limit) {
  world here;
  world_open(&here, _i, "heap-limit=2M,heap-initial=64K,verify=off");
  static unsigned char *blocks[4000];
  size_t count = 0;
  while ((blocks[count] = midden_block_alloc(here.mutator, 1000)) != NULL) memset(blocks[count++], 1, 1000);
  ck_assert_int_eq(midden_last_status(here.mutator), MIDDEN_NO_MEMORY);
  ck_assert_uint_ge(count * 1024, (size_t)19 << 17 >> 1); /* more than 1.2 MB */
  ck_assert_uint_le(world_statistics(&here).span_bytes, 2 << 20);
  ck_assert_ptr_null(midden_block_realloc(here.mutator, blocks[0], 5000));
  ck_assert_ptr_eq(midden_block_realloc(here.mutator, blocks[0], 1001), blocks[0]);
  ck_assert_int_eq(midden_last_status(here.mutator), MIDDEN_NO_MEMORY);
  ck_assert_ptr_nonnull(midden_block_realloc(here.mutator, blocks[0], 100)); /* smaller never fails */
  ck_assert_int_eq(midden_last_status(here.mutator), MIDDEN_OK);
  ck_assert_ptr_null(midden_alloc_sized(here.mutator, here.leaf, 100000)); /* objects meet the same limit */
  ck_assert_int_eq(midden_external_room(here.mutator, 100000), MIDDEN_NO_MEMORY);
  for (size_t i = count / 2; i < count; i++) midden_block_free(here.mutator, blocks[i]);
  world_leaf(&here, 100000, 1);
  ck_assert_ptr_null(midden_block_alloc(here.mutator, SIZE_MAX));
  ck_assert_ptr_null(midden_block_alloc(here.mutator, SIZE_MAX / 2));
  world_verify(&here);
  world_close(&here);
}
END_TEST

/* Blocks of one size that wait, or an empty span that is kept, make way for other sizes and for objects. */
START_TEST(sizes_make_way) {
  world here;
  static unsigned char *blocks[40000];
  world_open(&here, _i, "heap-limit=512K,heap-initial=512K,verify=off");
  for (size_t size = 16; size <= 8192; size *= 2) {
    size_t count = 0, bytes = 0;
    while ((blocks[count] = midden_block_alloc(here.mutator, size)) != NULL) {
      memset(blocks[count++], 3, size);
      bytes += size;
    }
    EXPECT(bytes >= (size_t)500 << 10, "%zu bytes in blocks of %zu", bytes, size);
    while (count > 0) midden_block_free(here.mutator, blocks[--count]);
  }
  for (size_t size = 16; size <= 8192; size *= 2) midden_block_free(here.mutator, midden_block_alloc(here.mutator, size));
  world_leaf(&here, 500 << 10, 1);
  world_close(&here);
}
END_TEST

/* Pages that blocks take bring the next collection nearer: their owners may be dead. */
START_TEST(blocks_pace) {
  world here;
  world_open(&here, _i, "heap-initial=1M,heap-limit=256M,verify=off");
  for (size_t i = 0; i < 3000; i++) {
    world_pair(&here);
    ck_assert_ptr_nonnull(midden_block_alloc(here.mutator, 10000));
  }
  ck_assert_uint_ge(world_statistics(&here).collections, 2); /* 48 KB of pairs would make none */
  uint64_t collections = world_statistics(&here).collections;
  for (size_t i = 0; i < 3000; i++) { /* and what is given back at once does not */
    world_pair(&here);
    midden_block_free(here.mutator, midden_block_alloc(here.mutator, 100000));
  }
  ck_assert_uint_le(world_statistics(&here).collections, collections + 1);
  world_close(&here);
}
END_TEST

/* "A power of two and a small header" is what interpreters ask for. */
START_TEST(waste) {
  world here;
  world_open(&here, _i, NULL);
  for (size_t power = 64; power <= 16384; power *= 2) {
    for (size_t header = 8; header <= 32; header += 8) {
      size_t size = power + header, cell = midden_good_size(size);
      EXPECT(cell * 8 <= size * 9, "%zu bytes get %zu", size, cell);
    }
  }
  static void *blocks[3000];
  for (size_t i = 0; i < 3000; i++) blocks[i] = midden_block_alloc(here.mutator, 1040);
  size_t spans = world_statistics(&here).block_span_bytes;
  EXPECT(spans <= 3000 * 1040 * 5 / 4, "%zu bytes in spans for %d", spans, 3000 * 1040);
  for (size_t i = 0; i < 3000; i++) midden_block_free(here.mutator, blocks[i]);
  ck_assert_uint_le(world_statistics(&here).block_span_bytes, 65536); /* at once, but for one span or two */
  world_close(&here);
}
END_TEST

static unsigned char *to_free;
static midden_status freed;
static void *taken;
static void free_inside(midden_visitor *visitor, void *context) {
  (void)visitor;
  taken = midden_block_alloc(context, 10);
  if (to_free == NULL) return;
  freed = midden_block_free(context, to_free);
  to_free = NULL;
}

START_TEST(inside_a_collection) {
  world here;
  world_open(&here, _i, NULL);
  freed = MIDDEN_MISUSE;
  taken = &here;
  to_free = midden_block_alloc(here.mutator, 100);
  ck_assert_int_eq(midden_root_scanner_add(here.heap, free_inside, here.mutator), MIDDEN_OK);
  world_collect(&here);
  ck_assert_int_eq(freed, MIDDEN_OK);
  ck_assert_ptr_null(taken);
  midden_root_scanner_remove(here.heap, free_inside, here.mutator);
  ck_assert_uint_eq(world_statistics(&here).blocks, 0);
  world_close(&here);
}
END_TEST

START_TEST(bad_arguments) {
  world here;
  world_open(&here, _i, NULL);
  pair *object = world_pair(&here);
  here.slots[0] = (uintptr_t)object;
  ck_assert_int_eq(midden_block_free(here.mutator, NULL), MIDDEN_OK);
  ck_assert_int_eq(midden_block_free(here.mutator, object), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_block_free(here.mutator, &here), MIDDEN_BAD_ARGUMENT);
  ck_assert_ptr_null(midden_block_realloc(here.mutator, object, 10));
  ck_assert_int_eq(midden_last_status(here.mutator), MIDDEN_BAD_ARGUMENT);
  ck_assert_uint_eq(midden_block_size(here.mutator, object), 0);
  ck_assert_ptr_null(midden_block_alloc(NULL, 10));
  ck_assert_int_eq(midden_block_free(NULL, object), MIDDEN_MISUSE);
  void *empty = midden_block_alloc(here.mutator, 0);
  ck_assert_ptr_nonnull(empty);
  empty = midden_block_realloc(here.mutator, empty, 0);
  ck_assert_ptr_nonnull(empty);
  world_close(&here); /* blocks that are left go with the heap */
}
END_TEST

/* What is no block in use is refused where block.h says so, and nothing is lost by it. */
static void refused(world *here, void *address) {
  size_t blocks = world_statistics(here).blocks;
  EXPECT(midden_block_free(here->mutator, address) == MIDDEN_MISUSE, "no misuse");
  EXPECT(midden_block_realloc(here->mutator, address, 100) == NULL, "a block of no block");
  EXPECT(midden_last_status(here->mutator) == MIDDEN_MISUSE, "no misuse by realloc");
  EXPECT(world_statistics(here).blocks == blocks, "%zu blocks became %zu", blocks, world_statistics(here).blocks);
  world_verify(here);
}

START_TEST(given_back_twice) {
  static const size_t lengths[] = {1, 16, 24, 100, 1000, 5000, 32768};
  world here;
  world_open(&here, _i, NULL);
  for (size_t i = 0; i < COUNT_OF(lengths); i++) {
    midden_word *blocks[12];
    size_t size = midden_good_size(lengths[i]);
    for (size_t k = 0; k < COUNT_OF(blocks); k++) {
      blocks[k] = midden_block_alloc(here.mutator, k % 2 ? size : lengths[i]);
      ck_assert_ptr_nonnull(blocks[k]);
      memset(blocks[k], 0x11, midden_block_size(here.mutator, blocks[k]));
    }
    refused(&here, (char *)blocks[3] + 8);
    refused(&here, (char *)blocks[11] + size / 2 + 1);
    for (size_t k = 0; k < COUNT_OF(blocks); k += 2) ck_assert_int_eq(midden_block_free(here.mutator, blocks[k]), MIDDEN_OK);
    for (size_t k = 0; k < COUNT_OF(blocks); k += 2) {
      if (midden_block_size(here.mutator, blocks[k]) == 0) continue; /* its span has gone */
      refused(&here, blocks[k]);
      for (size_t w = 1; w < size / sizeof(midden_word); w++) {
        EXPECT(freed_word((uintptr_t)&blocks[k][w]) == MIDDEN_POISON_BLOCK, "word %zu", w);
      }
    }
    for (size_t k = 1; k < COUNT_OF(blocks); k += 2) {
      const unsigned char *bytes = (const unsigned char *)blocks[k];
      for (size_t b = 0; b < size; b++) EXPECT(bytes[b] == 0x11, "byte %zu of a block in use", b);
      ck_assert_int_eq(midden_block_free(here.mutator, blocks[k]), MIDDEN_OK);
    }
    midden_word *again = midden_block_alloc(here.mutator, lengths[i]); /* as poison left it: it may be given back */
    ck_assert_ptr_nonnull(again);
    ck_assert_int_eq(midden_block_free(here.mutator, again), MIDDEN_OK);
    if (midden_block_size(here.mutator, again)) refused(&here, again);
  }
  ck_assert_uint_eq(world_statistics(&here).blocks, 0);
  world_close(&here);
}
END_TEST

/* Without poison: large ones, and what was given back just before. */
START_TEST(given_back_twice_without_poison) {
  world here;
  world_open(&here, _i, "poison=no");
  char *large = midden_block_alloc(here.mutator, 100000), *small = midden_block_alloc(here.mutator, 50);
  ck_assert(large != NULL && small != NULL);
  refused(&here, large + 8);
  refused(&here, large + 50000);
  ck_assert_int_eq(midden_block_free(here.mutator, large), MIDDEN_OK);
  ck_assert_int_eq(midden_block_free(here.mutator, large), MIDDEN_BAD_ARGUMENT);
  ck_assert_ptr_null(midden_block_realloc(here.mutator, small + 8, 100));
  ck_assert_int_eq(midden_last_status(here.mutator), MIDDEN_MISUSE);
  ck_assert_int_eq(midden_block_free(here.mutator, small), MIDDEN_OK);
  ck_assert_int_eq(midden_block_free(here.mutator, small), MIDDEN_MISUSE);
  char *other = midden_block_alloc(here.mutator, 50);
  ck_assert_ptr_ne(other, midden_block_alloc(here.mutator, 50));
  ck_assert_uint_eq(world_statistics(&here).blocks, 2);
  world_close(&here);
}
END_TEST

static void never(midden_mutator *mutator, void *object, void *context) {
  (void)mutator, (void)object, (void)context;
  ck_abort_msg("a block has a finalizer");
}

/* A word that leads to a block is no reference: a weak slot keeps it, as a key it holds its value as a number would. */
START_TEST(blocks_are_nothing_weak) {
  world here;
  static midden_word weak;
  world_open(&here, _i, NULL);
  void *raw = midden_block_alloc(here.mutator, 100);
  midden_kind kind = midden_kind_define(here.heap, &(midden_shape){.name = "table", .refs = MIDDEN_REFS_PAIRS}, NULL);
  midden_word *table = midden_alloc_sized(here.mutator, kind, 2 * sizeof(midden_word));
  here.slots[0] = (uintptr_t)table;
  weak = (uintptr_t)raw;
  ck_assert_int_eq(midden_weak_add(here.heap, &weak, MIDDEN_WEAK_SHORT), MIDDEN_OK);
  ck_assert_int_eq(midden_finalizer_add(here.mutator, raw, never, NULL), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_pin(here.mutator, raw), MIDDEN_BAD_ARGUMENT);
  void *leaf = world_leaf(&here, 40, 3);
  table = (midden_word *)here.slots[0];
  midden_store_word(here.mutator, table, &table[1], (uintptr_t)leaf);
  midden_store_word(here.mutator, table, &table[0], (uintptr_t)raw);
  for (int round = 0; round < 4; round++) {
    stack_wipe();
    world_collect(&here);
    world_churn(&here, 40);
    table = (midden_word *)here.slots[0];
    ck_assert_uint_eq(weak, (uintptr_t)raw);
    ck_assert_uint_eq(table[0], (uintptr_t)raw);
    EXPECT_LEAF((const void *)table[1], 40, 3);
  }
  ck_assert_int_eq(midden_weak_remove(here.heap, &weak), MIDDEN_OK);
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {at_random, ANYWHERE},
      {blocks_are_no_objects, ANYWHERE},
      {blocks_are_nothing_weak, ANYWHERE},
      {traced_when_asked, ANYWHERE},
      {the_limit, CALM},
      {sizes_make_way, CALM},
      {blocks_pace, COLLECTING | CALM},
      {waste, CALM},
      {inside_a_collection, COLLECTING | ONE_GENERATION | CALM},
      {bad_arguments, ANYWHERE},
      {given_back_twice, ANYWHERE},
      {given_back_twice_without_poison, ANYWHERE},
  };
  return run_combinations("blocks", tests, COUNT_OF(tests));
}
