/* Binary trees: what workloads/trees.c does. */
final class Trees {
  private static final class Node {
    Node left, right;
  }

  private static Node make(int depth) {
    Node node = new Node();
    if (depth > 0) {
      node.left = make(depth - 1);
      node.right = make(depth - 1);
    }
    return node;
  }

  private static long check(Node node) {
    return node.left == null ? 1 : 1 + check(node.left) + check(node.right);
  }

  private static long treeSize(int depth) {
    return (2L << depth) - 1;
  }

  public static void main(String[] arguments) throws java.io.IOException {
    int deepest = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 16;
    long total = 0;
    boolean correct;
    try {
      total = check(make(deepest + 1));
      correct = total == treeSize(deepest + 1);
      Node longLived = make(deepest);
      for (int depth = 4; depth <= deepest; depth += 2) {
        long iterations = 1L << (deepest - depth + 4);
        long nodes = 0;
        for (long i = 0; i < iterations; i++) nodes += check(make(depth));
        correct &= nodes == iterations * treeSize(depth);
        total += nodes;
      }
      correct &= check(longLived) == treeSize(deepest);
    } catch (OutOfMemoryError error) {
      System.exit(3);
      return;
    }
    Report.finish(correct, total);
  }
}
