/* GCBench: what workloads/gcbench.c does. */
final class GCBench {
  private static final class Node {
    Node left, right;
    int i, j;
  }

  private static long nodesMade;

  private static Node newNode() {
    nodesMade++;
    return new Node();
  }

  private static long treeSize(int depth) {
    return (2L << depth) - 1;
  }

  private static void populate(int depth, Node node) {
    if (depth <= 0) return;
    node.left = newNode();
    node.right = newNode();
    populate(depth - 1, node.left);
    populate(depth - 1, node.right);
  }

  private static Node makeTree(int depth) {
    if (depth <= 0) return newNode();
    Node left = makeTree(depth - 1);
    Node right = makeTree(depth - 1);
    Node node = newNode();
    node.left = left;
    node.right = right;
    return node;
  }

  private static long count(Node node) {
    return node == null ? 0 : 1 + count(node.left) + count(node.right);
  }

  private static void timeConstruction(int depth, int stretch) {
    long iterations = 2 * treeSize(stretch) / treeSize(depth);
    for (long i = 0; i < iterations; i++) populate(depth, newNode());
    for (long i = 0; i < iterations; i++) makeTree(depth);
  }

  private static boolean run(int stretch, int longest) {
    makeTree(stretch);
    Node longLived = newNode();
    populate(longest, longLived);
    double[] array = new double[500000];
    for (int i = 0; i < array.length; i++) array[i] = 1.0 / (i + 1);
    for (int depth = 4; depth <= longest; depth += 2) timeConstruction(depth, stretch);
    return count(longLived) == treeSize(longest) && array[1000] == 1.0 / 1001;
  }

  public static void main(String[] arguments) throws java.io.IOException {
    int stretch = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 18;
    boolean correct;
    try {
      correct = run(stretch, stretch < 20 ? stretch - 2 : stretch - 1);
    } catch (OutOfMemoryError error) {
      System.exit(3);
      return;
    }
    Report.finish(correct, nodesMade);
  }
}
