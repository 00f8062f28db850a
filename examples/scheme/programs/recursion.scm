;;; Deep recursion: the VM stack is a large root. Argument: the depth (default 200000).

(import (scheme base) (scheme write))

(define arguments (cdr (command-line)))
(define depth (if (null? arguments) 200000 (string->number (car arguments))))

(define (count n) (if (= n 0) 0 (+ 1 (count (- n 1)))))
(write (count depth))
(newline)

;; Each frame holds a fresh object, so collections happen with the stack at any height.
(define (build n) (if (= n 0) '() (let ((x (list n))) (cons x (build (- n 1))))))
(write (length (build depth)))
(newline)

(define (copy tree) (if (pair? tree) (cons (copy (car tree)) (copy (cdr tree))) tree))
(define left-deep (let loop ((n depth) (tree 'leaf)) (if (= n 0) tree (loop (- n 1) (cons tree n)))))
(write (equal? left-deep (copy left-deep)))
(newline)

(define (ackermann m n)
  (cond ((= m 0) (+ n 1))
        ((= n 0) (ackermann (- m 1) 1))
        (else (ackermann (- m 1) (ackermann m (- n 1))))))
(write (ackermann 2 (quotient depth 2000)))
(newline)

;; Mutual recursion through map.
(define (mirror tree) (if (pair? tree) (reverse (map mirror tree)) tree))
(define (nest n) (if (= n 0) '(a b) (list n (nest (- n 1)) n)))
(let ((tree (nest (quotient depth 100))))
  (write (equal? tree (mirror (mirror tree))))
  (newline))

;; It ends with an error that can be caught, not with a crash, and the stack is usable again.
(define (forever n) (+ 1 (forever (+ n 1))))
(write (guard (e (#t (error-object-message e))) (forever 0)))
(newline)
(write (count depth))
(newline)
