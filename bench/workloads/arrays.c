/* Wide arrays of references: one of SIZE (100 000) slots and twenty of a thousand. Each step replaces the
 * object in a random slot; most steps go to a small array. Old objects that are wide are stored into between
 * all collections. */
#include "shim.h"

enum { SMALL_ARRAYS = 20, SMALL_SLOTS = 1000 };

struct item {
  struct item **home; /* the array that it is in */
  uint64_t slot, value;
};

static shim_kind item_kind, array_kind;

static SHIM_NOINLINE struct item **new_array(uint64_t slots) { return shim_allocate_array(array_kind, slots); }

/* Puts a new item into a slot; returns the value of the one that was there. */
static SHIM_NOINLINE uint64_t replace(struct item **array, uint64_t slot, uint64_t value) {
  SHIM_FRAME(array);
  struct item *item = shim_allocate(item_kind, sizeof *item);
  item->slot = slot;
  item->value = value;
  shim_store(item, &item->home, array);
  struct item *before = array[slot];
  uint64_t old = before ? before->value : 0;
  shim_free(before);
  shim_store(array, &array[slot], item);
  SHIM_END();
  return old;
}

/* The sum of an array's values; 0 if an item is not where it says. */
static SHIM_NOINLINE uint64_t sum(struct item **array, uint64_t slots, bool *correct) {
  uint64_t result = 0;
  for (uint64_t i = 0; i < slots; i++) {
    const struct item *item = array[i];
    if (!item) continue;
    *correct = *correct && item->slot == i && item->home == array;
    result += item->value;
  }
  return result;
}

static SHIM_NOINLINE bool run(uint64_t size, uint64_t *checksum) {
  struct item **wide = NULL;
  struct item ***small = NULL;
  SHIM_FRAME(wide, small);
  wide = new_array(size);
  small = (struct item ***)new_array(SMALL_ARRAYS);
  for (uint64_t i = 0; i < SMALL_ARRAYS; i++) {
    struct item **array = new_array(SMALL_SLOTS);
    shim_store(small, &small[i], array);
  }
  uint64_t expected = 0, steps = size * 40, found = 0;
  for (uint64_t i = 0; i < size; i++) expected += i - replace(wide, i, i);
  shim_checkpoint();
  for (uint64_t i = 0; i < steps; i++) {
    uint64_t value = shim_random() >> 32;
    if (i % 8 == 0) {
      expected += value - replace(wide, shim_random_below(size), value);
    } else {
      uint64_t array = shim_random_below(SMALL_ARRAYS);
      expected += value - replace(small[array], shim_random_below(SMALL_SLOTS), value);
    }
  }
  shim_checkpoint();
  bool correct = true;
  found = sum(wide, size, &correct);
  for (uint64_t i = 0; i < SMALL_ARRAYS; i++) found += sum(small[i], SMALL_SLOTS, &correct);
  *checksum = found;
  SHIM_END();
  return correct && found == expected;
}

int main(int argc, char **argv) {
  uint64_t size = shim_begin(argc, argv, 100000, __builtin_frame_address(0));
  item_kind = shim_define("item", sizeof(struct item), 1);
  array_kind = shim_define_array("array");
  uint64_t checksum = 0;
  bool correct = run(size, &checksum);
  return shim_finish(correct, checksum);
}
