/* Unit: the arena for the library's own tables: alignment, zeroing, reuse, growth, failure. */
#include <string.h>

#include "base/arena.h"
#include "counting_memory.h"
#include "harness.h"

enum { BLOCKS = 200 };

static counting_memory memory;

static void open_arena(struct arena *arena) {
  counting_memory_open(&memory);
  mdn_arena_open(arena, &memory.face);
}

static void close_arena(struct arena *arena) {
  mdn_arena_close(arena);
  ck_assert_uint_eq(memory.reservations, 0);
  ck_assert_uint_eq(memory.violations, 0);
}

static bool all_are(const unsigned char *bytes, size_t count, unsigned char value) {
  for (size_t i = 0; i < count; i++)
    if (bytes[i] != value) return false;
  return true;
}

/* Blocks are zero when taken, aligned, and no two share a byte. */
START_TEST(blocks_are_zero_and_apart) {
  struct arena arena;
  open_arena(&arena);
  uint64_t random = 12;
  struct {
    unsigned char *bytes;
    size_t size;
  } blocks[BLOCKS];
  memset(blocks, 0, sizeof blocks);
  for (int step = 0; step < 20000; step++) {
    size_t i = test_random_below(&random, BLOCKS);
    if (blocks[i].bytes != NULL) {
      EXPECT(all_are(blocks[i].bytes, blocks[i].size, (unsigned char)(i + 1)), "block %zu changed", i);
      mdn_arena_free(&arena, blocks[i].bytes, blocks[i].size);
      blocks[i].bytes = NULL;
      continue;
    }
    blocks[i].size = 1 + test_random_below(&random, step % 50 == 0 ? 200000 : 700);
    blocks[i].bytes = mdn_arena_allocate(&arena, blocks[i].size);
    EXPECT(blocks[i].bytes != NULL && (uintptr_t)blocks[i].bytes % 16 == 0, "block of %zu", blocks[i].size);
    EXPECT(all_are(blocks[i].bytes, blocks[i].size, 0), "a block of %zu is not zero", blocks[i].size);
    memset(blocks[i].bytes, (int)(i + 1), blocks[i].size);
  }
  ck_assert_uint_le(arena.committed_bytes, memory.reserved_bytes);
  close_arena(&arena);
}
END_TEST

/* Freeing and taking in a loop needs no more memory. */
START_TEST(freed_blocks_are_reused) {
  struct arena arena;
  open_arena(&arena);
  mdn_arena_free(&arena, mdn_arena_allocate(&arena, 1000), 1000);
  size_t reserved = memory.reserved_bytes;
  for (int i = 0; i < 10000; i++) mdn_arena_free(&arena, mdn_arena_allocate(&arena, 600 + (size_t)i % 400), 600 + (size_t)i % 400);
  ck_assert_uint_eq(memory.reserved_bytes, reserved);
  mdn_arena_free(&arena, NULL, 100);
  close_arena(&arena);
}
END_TEST

START_TEST(tables_grow_and_keep_their_content) {
  struct arena arena;
  open_arena(&arena);
  void *table = NULL;
  size_t capacity = 0;
  for (uint32_t i = 0; i < 30000; i++) {
    if (i == capacity) {
      ck_assert(mdn_arena_grow(&arena, &table, &capacity, i + 1, sizeof(uint32_t)));
      EXPECT(all_are((unsigned char *)table + i * sizeof i, (capacity - i) * sizeof i, 0), "new elements are not zero");
    }
    ((uint32_t *)table)[i] = i ^ 0xabcdef;
  }
  for (uint32_t i = 0; i < 30000; i++) EXPECT(((uint32_t *)table)[i] == (i ^ 0xabcdef), "element %u", i);
  void *same = table;
  ck_assert(mdn_arena_grow(&arena, &table, &capacity, 100, sizeof(uint32_t)));
  ck_assert_ptr_eq(table, same);
  close_arena(&arena);
}
END_TEST

START_TEST(failure_changes_nothing) {
  struct arena arena;
  open_arena(&arena);
  void *table = NULL;
  size_t capacity = 0;
  ck_assert(mdn_arena_grow(&arena, &table, &capacity, 8, 8));
  memset(table, 7, capacity * 8);
  counting_memory_fail(&memory, 1, true);
  void *before = table;
  size_t capacity_before = capacity;
  ck_assert(!mdn_arena_grow(&arena, &table, &capacity, 1000000, 8));
  ck_assert_ptr_eq(table, before);
  ck_assert_uint_eq(capacity, capacity_before);
  ck_assert(all_are(table, capacity * 8, 7));
  ck_assert_ptr_null(mdn_arena_allocate(&arena, 1 << 20));
  counting_memory_fail(&memory, 2, true); /* reserved, then not committed: released */
  size_t reservations = memory.reservations;
  ck_assert_ptr_null(mdn_arena_allocate(&arena, 1 << 20));
  ck_assert_uint_eq(memory.reservations, reservations);
  counting_memory_heal(&memory);
  ck_assert_ptr_nonnull(mdn_arena_allocate(&arena, 1 << 20));
  close_arena(&arena);
}
END_TEST

int main(void) {
  const TTest *const tests[] = {blocks_are_zero_and_apart, freed_blocks_are_reused, tables_grow_and_keep_their_content,
                                failure_changes_nothing};
  return run_once("arena", tests, COUNT_OF(tests));
}
