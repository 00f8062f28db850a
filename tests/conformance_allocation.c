/* Conformance: allocation. Sizes, alignment, zeroing, distinctness, and asking about objects. */
#include <string.h>

#include "harness.h"

/* Every size that a class boundary can be near, up to past the small objects. */
static size_t next_size(size_t size) {
  if (size < 300) return size + 1;
  size_t step = size / 24;
  return size % 2 == 0 ? size + step + 1 : size - 1 + (step | 1);
}

static bool all_zero(const void *object, size_t size) {
  const unsigned char *bytes = object;
  for (size_t i = 0; i < size; i++)
    if (bytes[i] != 0) return false;
  return true;
}

START_TEST(sizes_and_alignment) {
  world here;
  world_open(&here, _i, NULL);
  for (size_t size = 1; size < 150000; size = next_size(size)) {
    void *object = midden_alloc_sized(here.mutator, here.leaf, size);
    EXPECT(object != NULL, "size %zu", size);
    EXPECT((uintptr_t)object % 8 == 0, "size %zu at %p", size, object);
    size_t cell = midden_size_of(here.heap, object);
    EXPECT(cell >= size, "size %zu in a cell of %zu", size, cell);
    EXPECT(cell == midden_good_size(size), "size %zu: cell %zu, good size %zu", size, cell,
                  midden_good_size(size));
    EXPECT(all_zero(object, cell), "size %zu is not zeroed", size);
    memset(object, 0xff, size);
    here.slots[size % 64] = (uintptr_t)object;
  }
  world_close(&here);
}
END_TEST

START_TEST(size_zero_is_one) {
  world here;
  world_open(&here, _i, NULL);
  void *first = midden_alloc_sized(here.mutator, here.leaf, 0);
  here.slots[0] = (uintptr_t)first;
  void *second = midden_alloc_sized(here.mutator, here.leaf, 0);
  here.slots[1] = (uintptr_t)second;
  ck_assert_uint_ne(here.slots[0], 0);
  ck_assert_uint_ne(here.slots[1], 0);
  ck_assert_uint_ne(here.slots[0], here.slots[1]);
  ck_assert_uint_eq(midden_size_of(here.heap, (void *)here.slots[1]), midden_good_size(1));
  world_close(&here);
}
END_TEST

/* Live objects keep their content: no two share a byte, whatever is collected in between. */
START_TEST(objects_do_not_overlap) {
  world here;
  world_open(&here, _i, NULL);
  size_t count = world_count(&here, WORLD_SLOTS, 400);
  uint64_t random = 11;
  static uint32_t sizes[WORLD_SLOTS];
  for (size_t i = 0; i < count; i++) {
    sizes[i] = (uint32_t)(1 + test_random_below(&random, test_random_below(&random, 40) == 0 ? 50000 : 500));
    here.slots[i] = (uintptr_t)world_leaf(&here, sizes[i], i);
    size_t other = test_random_below(&random, i + 1);
    if (here.slots[other] != 0 && i % 3 == 0) here.slots[other] = 0;
  }
  for (size_t i = 0; i < count; i++)
    if (here.slots[i] != 0)
      EXPECT(leaf_is((void *)here.slots[i], sizes[i], i), "leaf %zu of %u bytes changed", i, sizes[i]);
  world_close(&here);
}
END_TEST

/* Memory that held garbage reads zero when it is handed out again, in every size. */
START_TEST(reused_memory_is_zeroed) {
  world here;
  world_open(&here, _i, NULL);
  static const size_t sizes[] = {1, 16, 24, 40, 128, 200, 512, 1000, 3000, 8192, 20000, 32768, 33000, 100000};
  size_t rounds = world_count(&here, 6, 2);
  for (size_t round = 0; round < rounds; round++) {
    for (size_t s = 0; s < COUNT_OF(sizes); s++) {
      size_t count = world_count(&here, 400000 / (sizes[s] + 500), 12);
      for (size_t i = 0; i < count; i++) {
        unsigned char *object = midden_alloc_sized(here.mutator, here.leaf, sizes[s]);
        EXPECT(object != NULL, "no memory");
        size_t cell = midden_size_of(here.heap, object);
        EXPECT(all_zero(object, cell), "round %zu: %zu bytes, object %zu", round, sizes[s], i);
        memset(object, 0xff, cell);
        if (i % 5 == 0) here.slots[(s * 16 + i) % 256] = (uintptr_t)object;
      }
    }
    memset(here.slots, 0, 256 * sizeof *here.slots);
    world_collect(&here);
  }
  world_close(&here);
}
END_TEST

START_TEST(alignment_of_kinds) {
  world here;
  world_open(&here, _i, NULL);
  static const size_t sizes[] = {8, 16, 24, 40, 56, 72, 104, 120, 136, 264, 1000, 2312, 30000, 70000};
  midden_kind sixteen = midden_kind_define(here.heap, &(midden_shape){.name = "sixteen", .alignment = 16}, NULL);
  midden_kind fixed = midden_kind_define(
      here.heap, &(midden_shape){.name = "fixed sixteen", .size = 24, .refs = MIDDEN_REFS_ALL, .alignment = 16}, NULL);
  ck_assert_uint_ne(sixteen.id, 0);
  ck_assert_uint_ne(fixed.id, 0);
  size_t count = world_count(&here, 1200, 120);
  for (size_t i = 0; i < count; i++) {
    size_t size = sizes[i % COUNT_OF(sizes)];
    void *object = i % 4 == 3 ? midden_alloc(here.mutator, fixed)
                              : midden_alloc_sized(here.mutator, sixteen, size);
    ck_assert_ptr_nonnull(object);
    ck_assert_msg((uintptr_t)object % 16 == 0, "%zu bytes at %p", size, object);
    here.slots[i] = (uintptr_t)object;
    world_pair(&here);
  }
  for (size_t i = 0; i < count; i += 2) here.slots[i] = 0;
  world_collect(&here);
  for (size_t i = 0; i < count; i++) ck_assert_msg(here.slots[i] % 16 == 0, "moved to %#zx", (size_t)here.slots[i]);
  world_close(&here);
}
END_TEST

/* midden_alloc_sized serves a fixed-size kind too, up to its size. */
START_TEST(sized_allocation_of_a_fixed_kind) {
  world here;
  world_open(&here, _i, NULL);
  for (size_t size = 0; size <= sizeof(pair); size++) {
    void *object = midden_alloc_sized(here.mutator, here.pair, size);
    ck_assert_ptr_nonnull(object);
    ck_assert_uint_eq(midden_kind_of(here.heap, object), here.pair.id);
    ck_assert_uint_ge(midden_size_of(here.heap, object), sizeof(pair));
  }
  ck_assert_ptr_null(midden_alloc_sized(here.mutator, here.pair, 4096));
  ck_assert_int_eq(midden_last_status(here.mutator), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_last_status(here.mutator), MIDDEN_OK);
  world_close(&here);
}
END_TEST

START_TEST(impossible_sizes) {
  world here;
  world_open(&here, _i, NULL);
  world_list(&here, 0, 100);
  static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 7, SIZE_MAX - 8191, SIZE_MAX / 2, (size_t)1 << 62, (size_t)1 << 48};
  for (size_t i = 0; i < COUNT_OF(sizes); i++) {
    ck_assert_ptr_null(midden_alloc_sized(here.mutator, here.leaf, sizes[i]));
    midden_status status = midden_last_status(here.mutator);
    ck_assert_msg(status == MIDDEN_NO_MEMORY || status == MIDDEN_BAD_ARGUMENT, "size %#zx: %s", sizes[i],
                  midden_status_name(status));
    ck_assert_int_eq(midden_last_status(here.mutator), MIDDEN_OK);
  }
  ck_assert_uint_eq(midden_good_size(SIZE_MAX), 0);
  world_list_check(&here, 0, 100);
  ck_assert_ptr_nonnull(midden_alloc_sized(here.mutator, here.leaf, 100));
  world_close(&here);
}
END_TEST

START_TEST(asking_about_objects) {
  world here;
  world_open(&here, _i, NULL);
  static const size_t sizes[] = {1, 16, 20, 48, 100, 1000, 5000, 32768, 40000, 300000};
  for (size_t i = 0; i < COUNT_OF(sizes); i++) here.slots[i] = (uintptr_t)world_leaf(&here, sizes[i], i);
  here.slots[20] = (uintptr_t)world_pair(&here);
  here.slots[21] = (uintptr_t)world_vector(&here, 7);
  for (size_t i = 0; i < COUNT_OF(sizes); i++) {
    char *object = (char *)here.slots[i];
    ck_assert_ptr_eq(midden_object_at(here.heap, object), object);
    ck_assert_ptr_eq(midden_object_at(here.heap, object + sizes[i] / 2), object);
    ck_assert_ptr_eq(midden_object_at(here.heap, object + sizes[i] - 1), object);
    ck_assert_ptr_eq(midden_object_at(here.heap, object + midden_size_of(here.heap, object) - 1), object);
    ck_assert_uint_eq(midden_kind_of(here.heap, object), here.leaf.id);
    ck_assert_uint_eq(midden_kind_id_of(here.mutator, object), here.leaf.id);
  }
  ck_assert_uint_eq(midden_kind_of(here.heap, (void *)here.slots[20]), here.pair.id);
  ck_assert_uint_eq(midden_kind_id_of(here.mutator, (void *)here.slots[21]), here.vector.id);
  ck_assert_str_eq(midden_kind_name(here.heap, midden_kind_of(here.heap, (void *)here.slots[21])), "vector");
  static int outside;
  ck_assert_ptr_null(midden_object_at(here.heap, NULL));
  ck_assert_ptr_null(midden_object_at(here.heap, &outside));
  ck_assert_ptr_null(midden_object_at(here.heap, &here));
  ck_assert_ptr_null(midden_object_at(here.heap, (void *)UINTPTR_MAX));
  ck_assert_ptr_null(midden_object_at(here.heap, (void *)(uintptr_t)1));
  ck_assert_ptr_eq(midden_heap_of(here.mutator), here.heap);
  ck_assert_str_eq(midden_heap_config(here.heap)->collector, here.combination->collector);
  world_close(&here);
}
END_TEST

/* Cells that were never handed out are no objects, next to ones that were. */
START_TEST(free_cells_are_no_objects) {
  world here;
  world_open(&here, _i, NULL);
  size_t cell = midden_good_size(48);
  char *object = world_leaf(&here, 48, 1);
  here.slots[0] = (uintptr_t)object;
  size_t found = 0;
  for (char *at = object - 40 * cell; at < object + 40 * cell; at += cell)
    if (midden_object_at(here.heap, at) != NULL) found++;
  ck_assert_uint_eq(found, 1);
  ck_assert_ptr_eq(midden_object_at(here.heap, (void *)here.slots[0]), (void *)here.slots[0]);
  world_close(&here);
}
END_TEST

START_TEST(unzeroed_leaves) {
  world here;
  world_open(&here, _i, NULL);
  midden_kind raw = midden_kind_define(here.heap, &(midden_shape){.name = "raw", .flags = MIDDEN_KIND_UNZEROED}, NULL);
  ck_assert_uint_ne(raw.id, 0);
  size_t count = world_count(&here, 2000, 150);
  for (size_t i = 0; i < count; i++) {
    size_t size = 1 + i * 37 % 3000;
    void *object = midden_alloc_sized(here.mutator, raw, size);
    ck_assert_ptr_nonnull(object);
    leaf_fill(object, size, i);
    here.slots[i] = (uintptr_t)object;
    if (i % 3 != 0) here.slots[i / 2] = 0;
  }
  for (size_t i = 0; i < count; i++)
    if (here.slots[i] != 0) EXPECT_LEAF((void *)here.slots[i], 1 + i * 37 % 3000, i);
  world_close(&here);
}
END_TEST

START_TEST(the_zero_kind_is_no_kind) {
  world here;
  world_open(&here, _i, NULL);
  midden_kind none = {0, 0, 0};
  midden_kind refused = midden_kind_define(here.heap, &(midden_shape){.name = "odd", .alignment = 3}, NULL);
  ck_assert_uint_eq(refused.id, 0);
  for (int round = 0; round < 3; round++) {
    ck_assert_ptr_null(midden_alloc(here.mutator, none));
    ck_assert_ptr_null(midden_alloc_sized(here.mutator, none, 16));
    ck_assert_ptr_null(midden_alloc_sized(here.mutator, none, 40000));
    ck_assert_int_ne(midden_last_status(here.mutator), MIDDEN_OK);
    ck_assert_int_eq(midden_last_status(here.mutator), MIDDEN_OK);
    ck_assert_ptr_null(midden_alloc(here.mutator, refused));
    /* And again after the heap has handed out cells of real kinds. */
    world_pair(&here);
    world_leaf(&here, 16, 1);
  }
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {sizes_and_alignment, ANYWHERE},
      {size_zero_is_one, ANYWHERE},
      {objects_do_not_overlap, ANYWHERE},
      {reused_memory_is_zeroed, ANYWHERE},
      {alignment_of_kinds, ANYWHERE},
      {sized_allocation_of_a_fixed_kind, ANYWHERE},
      {impossible_sizes, ANYWHERE},
      {asking_about_objects, ANYWHERE},
      {free_cells_are_no_objects, ANYWHERE},
      {unzeroed_leaves, ANYWHERE},
      {the_zero_kind_is_no_kind, ANYWHERE},
  };
  return run_combinations("allocation", tests, COUNT_OF(tests));
}
