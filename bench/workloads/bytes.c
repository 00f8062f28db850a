/* Blocks of bytes, nothing else: SIZE (2000) are alive, of 128 bytes to 64 KiB, evenly over the doublings; each
 * step replaces one and writes its ends. There is nothing to trace; most bytes are in large objects. */
#include "shim.h"

struct block {
  uint64_t words, stamp;
  uint64_t content[];
};

static shim_kind block_kind, array_kind;

static SHIM_NOINLINE struct block *new_block(uint64_t stamp) {
  uint64_t base = UINT64_C(16) << shim_random_below(9);
  uint64_t words = base + shim_random_below(base);
  struct block *block = shim_allocate_leaf(block_kind, sizeof *block + words * 8);
  block->words = words;
  block->stamp = stamp;
  block->content[0] = block->content[words - 1] = ~stamp;
  return block;
}

static bool is_right(const struct block *block) {
  return block->content[0] == ~block->stamp && block->content[block->words - 1] == ~block->stamp;
}

static SHIM_NOINLINE bool replace(struct block **blocks, uint64_t at, uint64_t stamp, uint64_t *checksum) {
  SHIM_FRAME(blocks);
  struct block *block = new_block(stamp), *before = blocks[at];
  bool correct = !before || is_right(before);
  if (before) *checksum = *checksum * 31 + before->stamp + before->words;
  shim_free(before);
  shim_store(blocks, &blocks[at], block);
  SHIM_END();
  return correct;
}

static SHIM_NOINLINE bool run(uint64_t size, uint64_t *checksum) {
  struct block **blocks = NULL;
  SHIM_FRAME(blocks);
  blocks = shim_allocate_array(array_kind, size);
  bool correct = true;
  for (uint64_t i = 0; i < size; i++) correct = replace(blocks, i, i, checksum) && correct;
  shim_checkpoint();
  for (uint64_t i = 0; i < 100 * size; i++) {
    correct = replace(blocks, shim_random_below(size), i, checksum) && correct;
    if (i % (20 * size) == 0) shim_checkpoint();
  }
  for (uint64_t i = 0; i < size; i++) {
    correct = correct && is_right(blocks[i]);
    shim_free(blocks[i]);
  }
  shim_free(blocks);
  SHIM_END();
  return correct;
}

int main(int argc, char **argv) {
  uint64_t size = shim_begin(argc, argv, 2000, __builtin_frame_address(0));
  block_kind = shim_define_leaf("block");
  array_kind = shim_define_array("blocks");
  uint64_t checksum = 0;
  bool correct = run(size, &checksum);
  return shim_finish(correct, checksum);
}
