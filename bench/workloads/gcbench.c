/* GCBench, after the benchmark of Ellis, Kovac and Boehm: complete binary trees built top-down and bottom-up,
 * of many depths, beside a long-lived tree and a long-lived array.
 *
 * Arguments: OPTIONS [LARGE], where OPTIONS are the shim's. Classic: stretch tree of depth 18, long-lived
 * tree of depth 16, an array of 500 000 doubles, depths 4 to 16. LARGE: 21, 20, the same array, 4 to 20. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include SHIM

/* The functions that hold trees are not inlined into each other: the dead slots of an inlined frame would be
 * live words to every conservative contestant. */
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
static void shim_free_tree(void *object) {
  struct node *node = object;
  if (node->left) shim_free_tree(node->left);
  if (node->right) shim_free_tree(node->right);
  free(node);
}
#endif

static uint64_t tree_size(int depth) { return (UINT64_C(2) << depth) - 1; }

static __attribute__((noinline)) void populate(int depth, struct node *node) {
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

static __attribute__((noinline)) struct node *make_tree(int depth) {
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

static __attribute__((noinline)) void time_construction(int depth, int stretch) {
  uint64_t iterations = 2 * tree_size(stretch) / tree_size(depth);
  struct node *tree = NULL;
  SHIM_FRAME(tree);
  for (uint64_t i = 0; i < iterations; i++) {
    tree = new_node();
    populate(depth, tree);
    shim_free_tree(tree);
    tree = NULL;
  }
  for (uint64_t i = 0; i < iterations; i++) {
    tree = make_tree(depth);
    shim_free_tree(tree);
    tree = NULL;
  }
  SHIM_END();
}

static int run(int stretch, int long_lived_depth, int largest) {
  const size_t elements = 500000;
  struct node *tree = NULL, *long_lived = NULL;
  double *array = NULL;
  SHIM_FRAME(tree, long_lived, array);
  tree = make_tree(stretch);
  shim_free_tree(tree);
  tree = NULL;
  long_lived = new_node();
  populate(long_lived_depth, long_lived);
  array = shim_allocate_leaf(array_kind, elements * sizeof(double));
  for (size_t i = 0; i < elements; i++) array[i] = 1.0 / (double)(i + 1);
  for (int depth = 4; depth <= largest; depth += 2) time_construction(depth, stretch);
  int correct = count(long_lived) == tree_size(long_lived_depth) && array[1000] == 1.0 / 1001;
  SHIM_END();
  return correct;
}

int main(int argc, char **argv) {
  shim_open(argc > 1 ? argv[1] : "", __builtin_frame_address(0));
  node_kind = shim_define("node", sizeof(struct node), 3);
  array_kind = shim_define("array", 0, 0);
  int large = argc > 2 && strcmp(argv[2], "LARGE") == 0;
  int correct = large ? run(21, 20, 20) : run(18, 16, 16);
  printf("contestant=%s\nnodes=%llu\ncorrect=%d\n", SHIM_NAME, (unsigned long long)nodes_made, correct);
  shim_report();
  return correct ? 0 : 1;
}
