// GCBench: what workloads/gcbench.c does.
package main

import "midden.bench/report"

type node struct {
	left, right *node
	i, j        int32
}

var (
	nodesMade uint64
	sink      *node // keeps the compiler from leaving allocations out
)

func newNode() *node {
	nodesMade++
	return &node{}
}

func treeSize(depth int) uint64 { return uint64(2)<<depth - 1 }

func populate(depth int, n *node) {
	if depth <= 0 {
		return
	}
	n.left = newNode()
	n.right = newNode()
	populate(depth-1, n.left)
	populate(depth-1, n.right)
}

func makeTree(depth int) *node {
	if depth <= 0 {
		return newNode()
	}
	left := makeTree(depth - 1)
	right := makeTree(depth - 1)
	n := newNode()
	n.left = left
	n.right = right
	return n
}

func count(n *node) uint64 {
	if n == nil {
		return 0
	}
	return 1 + count(n.left) + count(n.right)
}

func timeConstruction(depth, stretch int) {
	iterations := 2 * treeSize(stretch) / treeSize(depth)
	for i := uint64(0); i < iterations; i++ {
		sink = newNode()
		populate(depth, sink)
	}
	for i := uint64(0); i < iterations; i++ {
		sink = makeTree(depth)
	}
	sink = nil
}

func main() {
	stretch := report.Size(18)
	longest := stretch - 2
	if stretch >= 20 {
		longest = stretch - 1
	}
	sink = makeTree(stretch)
	sink = nil
	longLived := newNode()
	populate(longest, longLived)
	array := make([]float64, 500000)
	for i := range array {
		array[i] = 1 / float64(i+1)
	}
	for depth := 4; depth <= longest; depth += 2 {
		timeConstruction(depth, stretch)
	}
	correct := count(longLived) == treeSize(longest) && array[1000] == 1/float64(1001)
	report.Finish(correct, nodesMade)
}
