/* Unit: layouts interpreted, and which words are references, each against its definition in the headers. */
#include <string.h>

#include "base/os.h"
#include "gc/layout.h"
#include "gc/reference.h"
#include "harness.h"

enum { MAXIMUM = 600 };

typedef struct visited {
  const midden_word *object;
  bool slots[MAXIMUM];
  size_t twice;
} visited;

static void note(void *context, midden_word *slot) {
  visited *here = context;
  size_t index = (size_t)(slot - here->object);
  EXPECT(index < MAXIMUM, "slot %zu", index);
  here->twice += here->slots[index];
  here->slots[index] = true;
}

/* What kind.h says of a layout. */
static bool is_slot(const midden_shape *shape, size_t cell_words, size_t word) {
  size_t fixed = shape->size / 8;
  switch (shape->refs) {
    case MIDDEN_REFS_ALL:
      return word < cell_words;
    case MIDDEN_REFS_BITMAP:
      return word < 64 && (shape->bitmap >> word & 1) && word < cell_words && (shape->size == 0 || word < fixed);
    case MIDDEN_REFS_ELEMENTS: {
      if (word < fixed) return word < 64 && (shape->bitmap >> word & 1) && word < cell_words;
      size_t element = shape->element_size / 8, index = (word - fixed) / element;
      /* Where every word is a slot, so are those of a last element that the cell cuts short. */
      uint64_t all = element == 64 ? ~UINT64_C(0) : (UINT64_C(1) << element) - 1;
      bool whole = fixed + (index + 1) * element <= cell_words || (shape->element_bitmap & all) == all;
      return whole && word < cell_words && (shape->element_bitmap >> (word - fixed) % element & 1);
    }
    default:
      return false;
  }
}

static void check_shape(const midden_shape *shape, uint64_t *random) {
  static midden_word object[MAXIMUM];
  struct kind_table table;
  struct arena arena;
  memset(&table, 0, sizeof table);
  mdn_arena_open(&arena, mdn_os_memory());
  ck_assert_int_eq(mdn_shape_check(shape, NULL), MIDDEN_OK);
  uint16_t id = mdn_kinds_add(&table, &arena, shape, NULL);
  ck_assert_uint_ne(id, 0);
  for (int i = 0; i < 20; i++) {
    size_t cell = shape->refs != MIDDEN_REFS_ELEMENTS && shape->size ? midden_good_size(shape->size)
                                                                    : midden_good_size(1 + test_random_below(random, 4000));
    static visited seen;
    memset(&seen, 0, sizeof seen);
    seen.object = object;
    layout_each(&table.kinds[id], (uintptr_t)object, cell, note, &seen, NULL);
    ck_assert_uint_eq(seen.twice, 0);
    for (size_t word = 0; word < MAXIMUM; word++) {
      bool expected = is_slot(shape, cell / 8, word);
      EXPECT(seen.slots[word] == expected, "layout %d, size %zu, element %zu, cell %zu: word %zu %s", (int)shape->refs,
             shape->size, shape->element_size, cell, word, expected ? "is not visited" : "is visited");
    }
  }
  mdn_arena_close(&arena);
}

START_TEST(random_shapes) {
  uint64_t random = 31;
  for (int i = 0; i < 3000; i++) {
    midden_shape shape = {.name = "random", .bitmap = test_random(&random) & test_random(&random)};
    static const midden_layout layouts[] = {MIDDEN_REFS_NONE, MIDDEN_REFS_ALL, MIDDEN_REFS_BITMAP, MIDDEN_REFS_ELEMENTS};
    shape.refs = layouts[test_random_below(&random, COUNT_OF(layouts))];
    shape.size = test_random_below(&random, 3) == 0 ? 0 : 8 * test_random_below(&random, 90);
    if (shape.refs == MIDDEN_REFS_ELEMENTS) {
      shape.element_size = 8 * (1 + test_random_below(&random, test_random_below(&random, 2) ? 4 : 64));
      shape.element_bitmap = test_random_below(&random, 3) == 0 ? ~UINT64_C(0) : test_random(&random);
    }
    check_shape(&shape, &random);
  }
}
END_TEST

/* config.h: a word is a reference when its tag is among low_tags, its high bits match, and the rest points
 * into the heap. */
START_TEST(words_that_are_references) {
  const uintptr_t base = UINT64_C(0x7f1200000000);
  const size_t extent = (size_t)1 << 24;
  uint64_t random = 17;
  static const uint64_t masks[][2] = {{0, 0},
                                      {UINT64_C(0xffff000000000000), UINT64_C(0xfffc000000000000)},
                                      {UINT64_C(0xffff800000000000), 0},
                                      {UINT64_C(0x8000000000000000), UINT64_C(0x8000000000000000)}};
  for (int i = 0; i < 400000; i++) {
    const uint64_t *mask = masks[test_random_below(&random, COUNT_OF(masks))];
    midden_references references = {(uint8_t)(1 + test_random_below(&random, 255)), mask[0], mask[1]};
    if (i % 4 == 0) references.low_tags = 1;
    struct reference_form form = reference_form_of(&references);
    uintptr_t word = base + test_random_below(&random, extent + 4096) - 2048;
    word |= test_random_below(&random, 3) == 0 ? test_random(&random) & mask[0] : mask[1];
    uintptr_t address = word & ~(uintptr_t)mask[0] & ~(uintptr_t)7;
    bool expected = (references.low_tags >> (word & 7) & 1) && (word & mask[0]) == mask[1] && address >= base &&
                    address < base + extent;
    size_t offset = 0;
    bool answer = reference_offset(&form, form.plain, base, extent, word, &offset);
    EXPECT(answer == expected, "word %#zx, tags %#x, mask %#zx", (size_t)word, references.low_tags, (size_t)mask[0]);
    if (answer) EXPECT(offset == address - base, "word %#zx", (size_t)word);
    /* The quick form and the general one agree. */
    if (form.plain) EXPECT(reference_offset(&form, false, base, extent, word, &offset) == expected, "word %#zx", (size_t)word);
  }
  size_t offset;
  struct reference_form plain = reference_form_of(&(midden_references){1, 0, 0});
  ck_assert(!reference_offset(&plain, true, base, extent, 0, &offset));
}
END_TEST

int main(void) {
  const TTest *const tests[] = {random_shapes, words_that_are_references};
  return run_once("layouts", tests, COUNT_OF(tests));
}
