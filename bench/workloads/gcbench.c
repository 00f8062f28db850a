/* GCBench, after the benchmark of Ellis, Kovac and Boehm: complete binary trees built top-down and bottom-up,
 * of many depths, beside a long-lived tree and a long-lived array.
 *
 * SIZE is the depth of the stretch tree. 18, classic: long-lived tree of depth 16, an array of 500 000 doubles,
 * depths 4 to 16. From 20 on: both depths are one less than SIZE; 21 is the large form. */
#include "shim.h"

struct node {
  struct node *left, *right;
  int32_t i, j;
};

static shim_kind node_kind, array_kind;
static uint64_t nodes_made;

static struct node *new_node(void) {
  nodes_made++;
  return shim_allocate(node_kind, sizeof(struct node));
}

#ifdef SHIM_FREES
static void drop_tree(struct node *node) {
  if (node->left) drop_tree(node->left);
  if (node->right) drop_tree(node->right);
  shim_free(node);
}
#else
static void drop_tree(struct node *node) { (void)node; }
#endif

static uint64_t tree_size(int depth) { return (UINT64_C(2) << depth) - 1; }

static SHIM_NOINLINE void populate(int depth, struct node *node) {
  if (depth <= 0) return;
  SHIM_FRAME(node);
  struct node *child = new_node();
  shim_store(node, &node->left, child);
  child = new_node();
  shim_store(node, &node->right, child);
  populate(depth - 1, node->left);
  populate(depth - 1, node->right);
  SHIM_END();
}

static SHIM_NOINLINE struct node *make_tree(int depth) {
  if (depth <= 0) return new_node();
  struct node *left = NULL, *right = NULL;
  SHIM_FRAME(left, right);
  left = make_tree(depth - 1);
  right = make_tree(depth - 1);
  struct node *node = new_node();
  shim_store(node, &node->left, left);
  shim_store(node, &node->right, right);
  SHIM_END();
  return node;
}

static uint64_t count(const struct node *node) {
  return node ? 1 + count(node->left) + count(node->right) : 0;
}

static SHIM_NOINLINE void time_construction(int depth, int stretch) {
  uint64_t iterations = 2 * tree_size(stretch) / tree_size(depth);
  struct node *tree = NULL;
  SHIM_FRAME(tree);
  for (uint64_t i = 0; i < iterations; i++) {
    tree = new_node();
    populate(depth, tree);
    drop_tree(tree);
    tree = NULL;
  }
  for (uint64_t i = 0; i < iterations; i++) {
    tree = make_tree(depth);
    if (i == 0) shim_checkpoint();
    drop_tree(tree);
    tree = NULL;
  }
  SHIM_END();
}

static SHIM_NOINLINE bool run(int stretch, int longest) {
  const size_t elements = 500000;
  struct node *tree = NULL, *long_lived = NULL;
  double *array = NULL;
  SHIM_FRAME(tree, long_lived, array);
  tree = make_tree(stretch);
  shim_checkpoint();
  drop_tree(tree);
  tree = NULL;
  long_lived = new_node();
  populate(longest, long_lived);
  array = shim_allocate_leaf(array_kind, elements * sizeof(double));
  for (size_t i = 0; i < elements; i++) array[i] = 1.0 / (double)(i + 1);
  for (int depth = 4; depth <= longest; depth += 2) time_construction(depth, stretch);
  bool correct = count(long_lived) == tree_size(longest) && array[1000] == 1.0 / 1001;
  SHIM_END();
  return correct;
}

int main(int argc, char **argv) {
  int stretch = (int)shim_begin(argc, argv, 18, __builtin_frame_address(0));
  node_kind = shim_define("node", sizeof(struct node), 3);
  array_kind = shim_define_leaf("array");
  bool correct = run(stretch, stretch < 20 ? stretch - 2 : stretch - 1);
  return shim_finish(correct, nodes_made);
}
