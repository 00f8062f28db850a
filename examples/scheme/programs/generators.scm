;;; Continuations that are entered again: generators, backtracking, and threads.
;;; Argument: how much of each (default 300).

(import (scheme base) (scheme write))

(define arguments (cdr (command-line)))
(define amount (if (null? arguments) 300 (string->number (car arguments))))

;; ---- generators: each side is a continuation that the other captures ----
(define (make-generator producer)
  (define caller #f)
  (define (yield x)
    (call/cc (lambda (here)
               (set! resume (lambda () (here #f)))
               (caller x))))
  (define (resume)
    (producer yield)
    (caller 'done))
  (lambda () (call/cc (lambda (k) (set! caller k) (resume)))))

(define (tree-insert tree x)
  (cond ((null? tree) (list x '() '()))
        ((< x (car tree)) (list (car tree) (tree-insert (cadr tree) x) (caddr tree)))
        (else (list (car tree) (cadr tree) (tree-insert (caddr tree) x)))))

(define (walk tree yield)
  (if (pair? tree)
      (begin
        (walk (cadr tree) yield)
        (yield (car tree))
        (walk (caddr tree) yield))))

(define (same-fringe? a b)
  (let ((next-a (make-generator (lambda (yield) (walk a yield))))
        (next-b (make-generator (lambda (yield) (walk b yield)))))
    (let loop ((n 0))
      (let ((x (next-a)) (y (next-b)))
        (cond ((not (eqv? x y)) (list 'differ x y))
              ((eq? x 'done) (list 'same n))
              (else (loop (+ n 1))))))))

(define (numbers n)
  (let loop ((i 0) (x 7) (r '())) (if (= i n) r (loop (+ i 1) (modulo (+ (* x 31) 11) 1009) (cons x r)))))

(define (build list) (fold-left tree-insert '() list))
(define some (numbers amount))
(write (same-fringe? (build some) (build (reverse some))))
(newline)
(write (car (same-fringe? (build some) (build (cons 5000 some)))))
(newline)

;; ---- backtracking ----
(define choice-points '())
(define (fail)
  (if (null? choice-points)
      'no-more
      (let ((back (car choice-points)))
        (set! choice-points (cdr choice-points))
        (back))))
(define (choose . options)
  (call/cc
   (lambda (k)
     (for-each (lambda (option) (set! choice-points (cons (lambda () (k option)) choice-points)))
               (reverse options))
     (fail))))
(define (all-solutions thunk)
  (let ((found '()))
    (call/cc
     (lambda (end)
       (set! choice-points (list (lambda () (end #f))))
       (let ((solution (thunk)))
         (set! found (cons solution found))
         (fail))))
    (reverse found)))
(write
 (all-solutions
  (lambda ()
    (let* ((a (choose 1 2 3 4 5 6 7 8 9 10 11 12 13))
           (b (choose 1 2 3 4 5 6 7 8 9 10 11 12 13))
           (c (choose 1 2 3 4 5 6 7 8 9 10 11 12 13)))
      (if (not (and (< a b) (= (+ (* a a) (* b b)) (* c c)))) (fail))
      (list a b c)))))
(newline)

;; ---- threads that hand over in deep recursion ----
(define ready '())
(define (spawn thunk) (set! ready (append ready (list thunk))))
(define finish #f)
(define (next)
  (if (null? ready)
      (finish 'all-done)
      (let ((thunk (car ready)))
        (set! ready (cdr ready))
        (thunk))))
(define (pause) (call/cc (lambda (k) (spawn (lambda () (k #f))) (next))))
(define results '())
(define (deep n) (if (= n 0) 0 (begin (if (= 0 (modulo n 10)) (pause)) (+ 1 (deep (- n 1))))))
(do ((i 1 (+ i 1))) ((> i 5))
  (let ((depth (* i (quotient amount 5))))
    (spawn (lambda () (set! results (cons (deep depth) results)) (next)))))
(write (call/cc (lambda (k) (set! finish k) (next))))
(write results)
(newline)

;; ---- a continuation entered many times ----
(define again #f)
(define count 0)
(define total 0)
(let ((x (call/cc (lambda (k) (set! again k) 1))))
  (set! total (+ total x))
  (set! count (+ count 1))
  (if (< count amount) (again (+ x 1))))
(write (list count total))
(newline)
