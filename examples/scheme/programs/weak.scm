;;; Weak pairs, ephemerons, guardians, and ports that are lost.
;;; Argument: how many of each (default 600). A conservative scan of the stack may keep a few of what is
;;; dead, so most are asked for, and of what lives, all.

(import (scheme base) (scheme write) (scheme file))

(define arguments (cdr (command-line)))
(define count (if (null? arguments) 600 (string->number (car arguments))))

(define (show name right)
  (display name)
  (display (if right ": as it should be" ": WRONG"))
  (newline))

(define (most? n) (> n (quotient count 2)))

;; How many of a list satisfy the predicate.
(define (how-many good? all)
  (let loop ((all all) (n 0))
    (if (null? all) n (loop (cdr all) (if (good? (car all)) (+ n 1) n)))))

(define (make-all make)
  (let loop ((i 0) (all '()))
    (if (= i count) all (loop (+ i 1) (cons (make i) all)))))

;; ---- weak pairs ----
(define kept (make-all (lambda (i) (list i))))
(define weak-kept (map (lambda (x) (weak-cons x (car x))) kept))
(define weak-lost (make-all (lambda (i) (weak-cons (list i) i))))
(gc)
(show "weak pairs that are kept"
      (= count (how-many (lambda (w) (equal? (weak-car w) (list (weak-cdr w)))) weak-kept)))
(show "weak pairs that are lost"
      (and (most? (how-many weak-pair-broken? weak-lost))
           (= count (how-many (lambda (w) (or (not (weak-car w)) (equal? (weak-car w) (list (weak-cdr w)))))
                              weak-lost))))
(show "their other halves" (equal? (map weak-cdr weak-lost) (map weak-cdr weak-kept)))

;; ---- ephemerons: a chain, each datum the next key ----
(define first-key (list 0))
(define chain
  (let loop ((i 0) (key first-key) (all '()))
    (if (= i count)
        all
        (let ((next (list (+ i 1))))
          (loop (+ i 1) next (cons (make-ephemeron key next) all))))))
(gc)
(show "a chain of ephemerons"
      (= count (how-many (lambda (e) (= (+ 1 (car (ephemeron-key e))) (car (ephemeron-datum e)))) chain)))
(set! first-key #f)
(gc)
(show "the chain without its first key" (most? (how-many ephemeron-broken? chain)))
(define cyclic
  (make-all (lambda (i) (let ((key (list i))) (make-ephemeron key (list key))))))
(gc)
(show "data that lead to their own keys" (most? (how-many ephemeron-broken? cyclic)))

;; ---- guardians ----
(define guardian (make-guardian))
(define other (make-guardian))
(for-each guardian kept)
(define (guard-lost i) (guardian (vector 'lost i)) (other (vector 'other i)) i)
(make-all guard-lost)
(gc)
(define (retrieve-all guardian)
  (let loop ((object (guardian)) (all '()))
    (if object (loop (guardian) (cons object all)) all)))
(define found (retrieve-all guardian))
(define found-by-other (retrieve-all other))
(show "guardians" (and (most? (length found)) (most? (length found-by-other))))
(show "what they found" (and (= (length found) (how-many (lambda (v) (eq? (vector-ref v 0) 'lost)) found))
                             (= (length found-by-other)
                                (how-many (lambda (v) (eq? (vector-ref v 0) 'other)) found-by-other))))
(define (sum all) (apply + (map (lambda (v) (vector-ref v 1)) all)))
(set! found (sum found))
(gc)
(define rest (retrieve-all guardian))
(show "each once" (<= (+ found (sum rest)) (quotient (* count (- count 1)) 2)))
(show "kept ones are not found" (= count (length kept)))

;; ---- ports ----
(define (lose-ports n)
  (if (> n 0)
      (begin
        (open-input-file "/dev/null")
        (if (= 0 (modulo n 100)) (gc))
        (lose-ports (- n 1)))))
(lose-ports (* 5 count))
(show "lost ports are closed" #t)
