;;; Binary trees of records, built top down and bottom up, short-lived ones beside a long-lived one:
;;; the workload that John Ellis and Pete Kovac devised to exercise collectors.
;;; Argument: the depth of the largest tree (default 16).

(import (scheme base) (scheme write))

(define-record-type node (make-node left right) node?
  (left node-left set-node-left!)
  (right node-right set-node-right!))

(define (leaf) (make-node #f #f))

(define (build depth)
  (if (= depth 0)
      (leaf)
      (make-node (build (- depth 1)) (build (- depth 1)))))

(define (populate! node depth)
  (if (> depth 0)
      (begin
        (set-node-left! node (leaf))
        (set-node-right! node (leaf))
        (populate! (node-left node) (- depth 1))
        (populate! (node-right node) (- depth 1)))))

(define (count node)
  (if node
      (+ 1 (count (node-left node)) (count (node-right node)))
      0))

(define (tree-size depth) (- (expt 2 (+ depth 1)) 1))

;; As many trees of each depth as make up about twice the largest tree.
(define (short-lived depth largest)
  (let ((times (quotient (* 2 (tree-size largest)) (tree-size depth))))
    (let loop ((i 0) (total 0))
      (if (= i times)
          total
          (let ((top-down (leaf)))
            (populate! top-down depth)
            (loop (+ i 1) (+ total (count top-down) (count (build depth)))))))))

(define (run largest)
  (let* ((stretch (count (build (+ largest 1))))
         (long-lived (build (- largest 2)))
         (numbers (make-vector (tree-size (- largest 4)) 0.)))
    (do ((i 0 (+ i 1))) ((= i (vector-length numbers)))
      (vector-set! numbers i (/ 1. (+ i 1))))
    (let ((total (do ((depth 4 (+ depth 2)) (total 0 (+ total (short-lived depth largest))))
                     ((> depth largest) total))))
      (display "trees: ")
      (write (list stretch total (count long-lived) (vector-ref numbers 3)))
      (newline))))

(define arguments (cdr (command-line)))
(run (if (null? arguments) 16 (string->number (car arguments))))
