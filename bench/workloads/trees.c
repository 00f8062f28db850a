/* Binary trees, as in the Computer Language Benchmarks Game: a stretch tree, a long-lived tree, and many short-
 * lived ones of depths 4 to SIZE (16), all built bottom-up and walked once. A node is two references. */
#include "shim.h"

struct node {
  struct node *left, *right;
};

static shim_kind node_kind;

static SHIM_NOINLINE struct node *make(int depth) {
  struct node *left = NULL, *right = NULL;
  SHIM_FRAME(left, right);
  if (depth > 0) {
    left = make(depth - 1);
    right = make(depth - 1);
  }
  struct node *node = shim_allocate(node_kind, sizeof *node);
  shim_store(node, &node->left, left);
  shim_store(node, &node->right, right);
  SHIM_END();
  return node;
}

static uint64_t check(const struct node *node) {
  return node->left ? 1 + check(node->left) + check(node->right) : 1;
}

#ifdef SHIM_FREES
static void drop(struct node *node) {
  if (node->left) {
    drop(node->left);
    drop(node->right);
  }
  shim_free(node);
}
#else
static void drop(struct node *node) { (void)node; }
#endif

static uint64_t tree_size(int depth) { return (UINT64_C(2) << depth) - 1; }

/* Makes, walks and drops one tree. */
static SHIM_NOINLINE uint64_t once(int depth, bool checkpoint) {
  struct node *tree = NULL;
  SHIM_FRAME(tree);
  tree = make(depth);
  if (checkpoint) shim_checkpoint();
  uint64_t nodes = check(tree);
  drop(tree);
  SHIM_END();
  return nodes;
}

static SHIM_NOINLINE bool run(int deepest, uint64_t *checksum) {
  uint64_t total = once(deepest + 1, true);
  bool correct = total == tree_size(deepest + 1);
  struct node *long_lived = NULL;
  SHIM_FRAME(long_lived);
  long_lived = make(deepest);
  for (int depth = 4; depth <= deepest; depth += 2) {
    uint64_t iterations = UINT64_C(1) << (deepest - depth + 4), nodes = 0;
    for (uint64_t i = 0; i < iterations; i++) nodes += once(depth, i == 0);
    correct = correct && nodes == iterations * tree_size(depth);
    total += nodes;
  }
  correct = correct && check(long_lived) == tree_size(deepest);
  SHIM_END();
  *checksum = total;
  return correct;
}

int main(int argc, char **argv) {
  int deepest = (int)shim_begin(argc, argv, 16, __builtin_frame_address(0));
  node_kind = shim_define("node", sizeof(struct node), 3);
  uint64_t checksum = 0;
  bool correct = run(deepest, &checksum);
  return shim_finish(correct, checksum);
}
