;;; Hash tables: by identity in both ways that a heap with moving objects offers, by eqv?, by content, and weak ones.
;;; Each is compared with an association list while it grows, is changed and shrinks.
;;; Argument: how many keys (default 400). A conservative scan of the stack may keep a few of what is dead, so of weak
;;; keys that are lost most are to go, and of what lives, nothing.

(import (scheme base) (scheme write))

(define arguments (cdr (command-line)))
(define count (if (null? arguments) 400 (string->number (car arguments))))

(define (show name right)
  (display name)
  (display (if right ": as it should be" ": WRONG"))
  (newline))

(define seed 1)
(define (random n)
  (set! seed (modulo (+ (* seed 16807) 12345) 2147483647))
  (modulo (quotient seed 65536) n))

;; Keys of all sorts. Those of identity tables are compared by eq?, so each exists once.
(define (make-key i)
  (case (modulo i 9)
    ((0) i)
    ((1) (list i))
    ((2) (string->symbol (string-append "key" (number->string i))))
    ((3) (number->string i))
    ((4) (vector i 'v))
    ((5) (lambda () i))
    ((6) (integer->char (+ 1000 i)))
    ((7) (+ i .5))
    (else (make-bytevector 4 (modulo i 256)))))

(define keys (list->vector (map make-key (iota count))))
(define (random-key) (vector-ref keys (random count)))

;; ---- against an association list ----

(define (same? table pairs)
  (let loop ((left pairs) (n 0))
    (cond ((null? left) (= n (hashtable-size table)))
          ((equal? (hashtable-ref table (caar left) 'none) (cdar left)) (loop (cdr left) (+ n 1)))
          (else #f))))

(define (without pair pairs)
  (if (eq? (car pairs) pair) (cdr pairs) (cons (car pairs) (without pair (cdr pairs)))))

(define (step table pairs i)
  (let* ((key (random-key)) (pair (assq key pairs)))
    (case (random 4)
      ((0)
       (hashtable-delete! table key)
       (if pair (without pair pairs) pairs))
      ((1)
       (hashtable-update! table key (lambda (content) (cons i content)) '())
       (if pair
           (begin (set-cdr! pair (cons i (cdr pair))) pairs)
           (cons (list key i) pairs)))
      (else
       (hashtable-set! table key (list i))
       (if pair
           (begin (set-cdr! pair (list i)) pairs)
           (cons (list key i) pairs))))))

(define (try name make)
  (let ((table (make)))
    (let loop ((i 0) (pairs '()))
      (if (= 0 (modulo i 50)) (gc))
      (if (and (< i (* 3 count)) (or (> (modulo i 16) 0) (same? table pairs)))
          (loop (+ i 1) (step table pairs i))
          (show name (and (= i (* 3 count)) (same? table pairs)))))
    (hashtable-clear! table)
    (show "  emptied" (and (= 0 (hashtable-size table)) (not (hashtable-contains? table (vector-ref keys 1)))))))

(try "by identity" make-eq-hashtable)
(try "by address" make-address-hashtable)
(try "by eqv?" make-eqv-hashtable)
(try "by content" make-hashtable)
(try "weak" make-weak-eq-hashtable)

;; ---- what is the same key ----

(define (finds make key other)
  (let ((table (make)))
    (hashtable-set! table key 'found)
    (hashtable-ref table other #f)))
(define (finds-all key other)
  (map (lambda (make) (finds make key other))
       (list make-eq-hashtable make-address-hashtable make-eqv-hashtable make-hashtable)))
(define (write-line x) (write x) (newline))
(write-line (finds-all "text" (string #\t #\e #\x #\t)))
(write-line (finds-all (+ 1.25 1) 2.25))
(write-line (finds-all (list 1 (vector 2 "three")) (list 1 (vector 2 (string-append "th" "ree")))))
(write-line (finds-all 'a (string->symbol "a")))
(write-line (finds-all 12 (* 3 4)))
(define circle (list 1 2))
(set-cdr! (cdr circle) circle)
(write-line (finds-all circle circle))
(write-line (= (equal-hash '(1 "two" #(3.0))) (equal-hash (list 1 (string #\t #\w #\o) (vector 3.0)))))
(write-line (= (eq-hash circle) (begin (gc) (eq-hash circle))))

;; ---- growing and shrinking, and the order of keys ----

(define table (make-eq-hashtable))
(define (fill n)
  (do ((i 0 (+ i 1))) ((= i n))
    (hashtable-set! table (vector-ref keys i) i)))
(fill count)
(define large (%hashtable-capacity table))
(show "it has grown" (>= large count))
(write-line (equal? (hashtable-keys table) keys))
(do ((i 2 (+ i 1))) ((= i count))
  (hashtable-delete! table (vector-ref keys i)))
(show "it has shrunk" (< (%hashtable-capacity table) (max 16 (quotient large 4))))
(write-line (hashtable->alist table))
(call-with-values (lambda () (hashtable-entries table)) (lambda (keys contents) (write-line (list keys contents))))
(hashtable-walk table (lambda (key content) (hashtable-delete! table key)))
(write-line (list table (hashtable? table) (hashtable? keys) (hashtable-keys table)))

;; ---- weak tables: a key is not held, and its value only through it ----

(define weak (make-weak-eq-hashtable))
(define kept (map list (iota count)))
(for-each (lambda (key) (hashtable-set! weak key (cons 'content key))) kept)
(define (lose i)
  (if (> i 0)
      (let ((key (vector i)))
        (hashtable-set! weak key (list key)) ; the value leads to its key
        (lose (- i 1)))))
(lose (* 4 count))
(gc)
(define collects? (not (eq? (gc-collector) 'none)))
(show "what is kept" (let loop ((left kept))
                       (or (null? left)
                           (and (equal? (hashtable-ref weak (car left) #f) (cons 'content (car left)))
                                (loop (cdr left))))))
(show "what is lost" (or (not collects?) (< (hashtable-size weak) (* 3 count))))
(define left (hashtable-keys weak))
(show "keys" (<= (hashtable-size weak) (vector-length left)))
(set! left #f)
(set! kept (list-tail kept (- count 2)))
(lose 10)
(gc)
;; Entries of dead keys make room for new ones.
(define before (%hashtable-capacity weak))
(let loop ((round 0))
  (if (< round 10)
      (begin (lose (quotient count 4)) (gc) (loop (+ round 1)))))
(show "their room" (or (not collects?) (<= (%hashtable-capacity weak) before)))
(show "the last two" (and (pair? (hashtable-ref weak (car kept) #f)) (pair? (hashtable-ref weak (cadr kept) #f))))

;; ---- errors are conditions ----

(define (error-of thunk)
  (guard (e ((error-object? e) (error-object-message e)))
    (thunk)
    'none))
(for-each (lambda (thunk) (write-line (error-of thunk)))
          (list (lambda () (hashtable-ref '() 1 2))
                (lambda () (hashtable-set! 5 1 2))
                (lambda () (make-eq-hashtable -1))
                (lambda () (make-eq-hashtable 1000000000000))
                (lambda () (make-hashtable equal-hash eq?))
                (lambda () (make-hashtable car equal?))
                (lambda () (string-hash 'symbol))))
