// Binary trees: what workloads/trees.c does.
package main

import "midden.bench/report"

type node struct {
	left, right *node
}

func makeTree(depth int) *node {
	if depth == 0 {
		return &node{}
	}
	return &node{makeTree(depth - 1), makeTree(depth - 1)}
}

func (n *node) check() uint64 {
	if n.left == nil {
		return 1
	}
	return 1 + n.left.check() + n.right.check()
}

func treeSize(depth int) uint64 { return uint64(2)<<depth - 1 }

func main() {
	deepest := report.Size(16)
	total := makeTree(deepest + 1).check()
	correct := total == treeSize(deepest+1)
	longLived := makeTree(deepest)
	for depth := 4; depth <= deepest; depth += 2 {
		iterations := uint64(1) << (deepest - depth + 4)
		nodes := uint64(0)
		for i := uint64(0); i < iterations; i++ {
			nodes += makeTree(depth).check()
		}
		correct = correct && nodes == iterations*treeSize(depth)
		total += nodes
	}
	correct = correct && longLived.check() == treeSize(deepest)
	report.Finish(correct, total)
}
