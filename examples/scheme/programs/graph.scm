;;; Mutation of long-lived structure: doubly linked lists, a graph with marks, Josephus, union-find,
;;; lists reversed and merged in place. Argument: the number of nodes (default 3000).

(import (scheme base) (scheme write))

(define arguments (cdr (command-line)))
(define nodes (if (null? arguments) 3000 (string->number (car arguments))))

;; ---- Josephus: a circular list that is cut down to one ----
(define (josephus n step)
  (let* ((circle (iota n 1)) (last (last-pair circle)))
    (set-cdr! last circle)
    (let loop ((before last) (k 1))
      (cond ((eq? before (cdr before)) (car before))
            ((= k step) (set-cdr! before (cddr before)) (loop before 1))
            (else (loop (cdr before) (+ k 1)))))))
(write (map (lambda (step) (josephus nodes step)) '(2 3 7)))
(newline)

;; ---- a graph: vectors #(number neighbours mark parent) ----
(define (make-node i) (vector i '() #f #f))
(define (node-number node) (vector-ref node 0))
(define (neighbours node) (vector-ref node 1))
(define (connect! a b)
  (vector-set! a 1 (cons b (neighbours a)))
  (vector-set! b 1 (cons a (neighbours b))))

(define graph
  (let ((all (make-vector nodes)))
    (do ((i 0 (+ i 1))) ((= i nodes) all)
      (vector-set! all i (make-node i))
      (if (> i 0)
          (begin
            (connect! (vector-ref all i) (vector-ref all (quotient i 2)))
            (connect! (vector-ref all i) (vector-ref all (modulo (* i 7919) i))))))))

;; Breadth first, with a queue of which both ends are mutated.
(define (distances start mark)
  (let* ((head (list start)) (tail head))
    (vector-set! start 2 (cons mark 0))
    (let loop ((head head) (farthest 0) (reached 0))
      (if (null? head)
          (list farthest reached)
          (let* ((node (car head)) (distance (cdr (vector-ref node 2))))
            (for-each
             (lambda (other)
               (if (not (and (pair? (vector-ref other 2)) (eq? (car (vector-ref other 2)) mark)))
                   (let ((link (list other)))
                     (vector-set! other 2 (cons mark (+ distance 1)))
                     (vector-set! other 3 node)
                     (set-cdr! tail link)
                     (set! tail link))))
             (neighbours node))
            (loop (cdr head) (max farthest distance) (+ reached 1)))))))
(write (map (lambda (i) (distances (vector-ref graph i) (list 'mark i))) (list 0 1 (quotient nodes 2))))
(newline)

(define (path-length node)
  (let loop ((node node) (n 0))
    (if (vector-ref node 3) (if (> n nodes) 'cycle (loop (vector-ref node 3) (+ n 1))) n)))
(vector-set! (vector-ref graph (quotient nodes 2)) 3 #f)
(write (path-length (vector-ref graph (- nodes 1))))
(newline)

;; ---- union-find with path halving ----
(define parents (list->vector (iota nodes)))
(define (find x)
  (let ((p (vector-ref parents x)))
    (if (= p x)
        x
        (let ((grandparent (vector-ref parents p)))
          (vector-set! parents x grandparent)
          (find grandparent)))))
(do ((i 0 (+ i 1))) ((= i nodes))
  (if (not (= 0 (modulo i 5)))
      (vector-set! parents (find i) (find (modulo (* i i) nodes)))))
(write (let loop ((i 0) (roots 0)) (if (= i nodes) roots (loop (+ i 1) (if (= i (find i)) (+ roots 1) roots)))))
(newline)

;; ---- lists changed in place ----
(define (merge! a b)
  (let ((head (list #f)))
    (let loop ((last head) (a a) (b b))
      (cond ((null? a) (set-cdr! last b))
            ((null? b) (set-cdr! last a))
            ((< (car a) (car b)) (set-cdr! last a) (loop a (cdr a) b))
            (else (set-cdr! last b) (loop b a (cdr b)))))
    (cdr head)))
(define (sort! list n)
  (if (= n 1)
      (begin (set-cdr! list '()) list)
      (let* ((half (quotient n 2)) (rest (list-tail list half)))
        (let ((b (sort! rest (- n half))))
          (merge! (sort! list half) b)))))
(define shuffled (map (lambda (i) (modulo (* i 7919) 10007)) (iota nodes)))
(define sorted (sort! shuffled nodes))
(write (let loop ((list sorted) (n 1)) (if (null? (cdr list)) n (and (<= (car list) (cadr list)) (loop (cdr list) (+ n 1))))))
(write (apply + (reverse! sorted)))
(newline)
