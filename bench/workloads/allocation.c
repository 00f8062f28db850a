/* Allocation and nothing else: objects of SIZE (32) bytes, 512 MiB in all, each dropped by the next. Prints the
 * CPU time of one, which includes a store and two loads: the object must be zero, and the one before it still
 * what it was. */
#include "shim.h"

struct object {
  uint64_t words[2];
};

static shim_kind object_kind;

static SHIM_NOINLINE uint64_t allocate_all(uint64_t count, size_t size, uint64_t *sum) {
  struct object *object = NULL, *before = NULL;
  uint64_t dirty = 0, changed = 0;
  SHIM_FRAME(before);
  before = shim_allocate(object_kind, size);
  for (uint64_t i = 1; i <= count; i++) {
    object = shim_allocate(object_kind, size);
    dirty |= object->words[1];
    changed |= before->words[0] ^ (i - 1);
    object->words[0] = i;
    shim_free(before);
    before = object;
  }
  *sum = before->words[0];
  shim_free(before);
  SHIM_END();
  return dirty | changed;
}

int main(int argc, char **argv) {
  size_t size = (size_t)shim_begin(argc, argv, 32, __builtin_frame_address(0));
  if (size < 16) size = 16;
  object_kind = shim_define("object", size, 0);
  uint64_t count = (UINT64_C(512) << 20) / size, sum = 0;
  double start = shim_clock(CLOCK_PROCESS_CPUTIME_ID);
  uint64_t wrong = allocate_all(count, size, &sum);
  double milliseconds = shim_clock(CLOCK_PROCESS_CPUTIME_ID) - start;
  printf("ns_per_object=%.3f\n", milliseconds * 1e6 / (double)count);
  return shim_finish(wrong == 0 && sum == count, sum);
}
