/* Deep recursion: SIZE (10 000) frames on the C stack, each of which holds sixteen boxes and makes temporary ones on
 * its way down and up, ten times. What is alive is known only to the stack, all of which is scanned in every
 * collection where the stack is. */
#include "shim.h"

struct box {
  struct box *link;
  uint64_t depth, stamp;
};

enum { OWN = 16 }; /* boxes of one frame */

static shim_kind box_kind;

static SHIM_NOINLINE struct box *new_box(uint64_t depth, struct box *link) {
  SHIM_FRAME(link);
  struct box *box = shim_allocate(box_kind, sizeof *box);
  box->depth = depth;
  box->stamp = ~depth;
  shim_store(box, &box->link, link);
  SHIM_END();
  return box;
}

static bool is_right(const struct box *box, uint64_t depth) { return box->depth == depth && box->stamp == ~depth; }

/* A frame's own boxes: each knows the one before. */
static SHIM_NOINLINE struct box *own_boxes(uint64_t depth, struct box *above) {
  struct box *last = above;
  SHIM_FRAME(last);
  for (int i = 0; i < OWN; i++) last = new_box(depth, last);
  SHIM_END();
  return last;
}

/* Drops them; true if all were right, and the last knows what is above. */
static SHIM_NOINLINE bool drop_own(struct box *last, uint64_t depth, const struct box *above) {
  bool correct = true;
  for (int i = 0; i < OWN; i++) {
    struct box *link = last->link;
    correct = correct && is_right(last, depth);
    shim_free(last);
    last = link;
  }
  return correct && last == above;
}

static SHIM_NOINLINE bool temporaries(uint64_t count) {
  bool correct = true;
  for (uint64_t i = 0; i < count; i++) {
    struct box *box = new_box(i, NULL);
    correct = is_right(box, i) && correct;
    shim_free(box);
  }
  return correct;
}

/* Adds up the depths of boxes that are right; they live only in this frame. */
static SHIM_NOINLINE uint64_t descend(uint64_t depth, struct box *above) {
  struct box *own = NULL, *pair = NULL;
  SHIM_FRAME(above, own, pair);
  own = own_boxes(depth, above);
  uint64_t sum = 0;
  bool correct = temporaries(8);
  if (depth > 0) {
    sum = descend(depth - 1, depth % 16 == 0 ? own : NULL);
  } else {
    shim_checkpoint();
  }
  pair = new_box(depth, own);
  correct = temporaries(8) && correct;
  correct = correct && is_right(pair, depth) && pair->link == own;
  shim_free(pair);
  correct = drop_own(own, depth, above) && correct;
  SHIM_END();
  return correct ? sum + depth : 0;
}

static SHIM_NOINLINE bool run(uint64_t deepest, uint64_t *checksum) {
  bool correct = true;
  for (int round = 0; round < 10; round++) {
    uint64_t sum = descend(deepest, NULL);
    correct = correct && sum == deepest * (deepest + 1) / 2;
    *checksum += sum;
  }
  return correct;
}

int main(int argc, char **argv) {
  uint64_t deepest = shim_begin(argc, argv, 10000, __builtin_frame_address(0));
  box_kind = shim_define("box", sizeof(struct box), 1);
  uint64_t checksum = 0;
  bool correct = run(deepest, &checksum);
  return shim_finish(correct, checksum);
}
