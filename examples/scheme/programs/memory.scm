;;; Runs out of memory, several times, in several ways; catches it, and goes on.
;;; To be run with a heap limit.

(import (scheme base) (scheme write))

(define (attempt name thunk)
  (display name)
  (display ": ")
  (display (guard (e ((out-of-memory-error? e) (error-object-message e)))
             (thunk)
             "no error"))
  (newline))

(define kept '())

(attempt "list" (lambda () (let loop ((all '())) (loop (cons 1 all)))))
(attempt "vectors" (lambda () (let loop ((all '())) (loop (cons (make-vector 1000 all) all)))))
(attempt "one vector" (lambda () (make-vector 1000000000 0)))
(attempt "impossible vector" (lambda () (make-vector 2000000000000000000 0)))
(attempt "string" (lambda () (let loop ((s "ab")) (loop (string-append s s)))))
(attempt "string of impossible length" (lambda () (make-string 2000000000000000000)))
(attempt "closures" (lambda () (let loop ((f (lambda () 0))) (loop (lambda () (f))))))
(attempt "flonums" (lambda () (let loop ((x 0.) (all '())) (loop (+ x 1.) (cons x all)))))
(attempt "symbols" (lambda () (let loop ((i 0) (all '())) (loop (+ i 1) (cons (make-bytevector 100 1) all)))))
(attempt "map" (lambda () (let loop ((l (iota 1000))) (loop (append (map (lambda (x) (+ x 1)) l) l)))))
(attempt "continuations"
         (lambda ()
           (let loop ((all '()) (n 0))
             (loop (cons (let deep ((i 50)) (if (= i 0) (call/cc (lambda (k) k)) (car (list (deep (- i 1)))))) all) (+ n 1)))))
(attempt "list->vector" (lambda () (let loop ((l (iota 1000))) (loop (append l (vector->list (list->vector l)))))))
(attempt "kept" (lambda () (let loop () (set! kept (cons (make-vector 100 0) kept)) (loop))))
(set! kept '())
(attempt "rest list" (lambda () (let loop ((l (iota 1000))) (loop (apply (lambda all (append all all)) l)))))
(attempt "nested guards"
         (lambda ()
           (guard (e ((string? e) 'never))
             (dynamic-wind
              (lambda () #f)
              (lambda () (let loop ((all '())) (loop (cons (list 1 2 3) all))))
              (lambda () (display "(unwound) "))))))

;; String ports and tables hold what they held before.
(let ((port (open-output-string)) (n 0) (other (make-bytevector 1200000)))
  (attempt "string port"
           (lambda () (let loop () (write '(a "datum" to be written) port) (set! n (+ n 1)) (loop))))
  (set! other #f) ; now the string that was written has room beside the port
  (display "  ")
  (write (= (* n 25) (string-length (get-output-string port))))
  (newline))
(let ((circle (list 1 2)) (port (open-output-string)))
  (write 'before port)
  (set-cdr! (cdr circle) circle)
  (attempt "endless datum" (lambda () (write-simple circle port)))
  (display "  ")
  (write (get-output-string port))
  (newline))

(define (attempt-table name make)
  (let ((table (make)) (keys '()) (n 0))
    (attempt name
             (lambda ()
               (let loop ()
                 (let ((key (list n)))
                   (set! keys (cons key keys))
                   (hashtable-set! table key n)
                   (set! n (+ n 1))
                   (loop)))))
    (display "  ")
    (write (and (<= n (hashtable-size table) (+ n 1))
                (let loop ((keys (if (= (length keys) n) keys (cdr keys))) (i (- n 1)))
                  (cond ((null? keys) 'whole)
                        ((eqv? i (hashtable-ref table (car keys) #f)) (loop (cdr keys) (- i 1)))
                        (else (list i 'of n 'is (hashtable-ref table (car keys) #f)))))))
    (newline)))
(attempt-table "table by identity" make-eq-hashtable)
(attempt-table "table by address" make-address-hashtable)
(attempt-table "table by content" make-hashtable)
(attempt-table "weak table" make-weak-eq-hashtable)

(attempt "ports" (lambda () (let loop ((all '())) (loop (cons (open-input-string "text") all)))))
(attempt "figures" (lambda () (let loop ((all '())) (loop (cons (gc-stats) all)))))

;; Handled where it happens, by a handler that allocates.
(define (careful n)
  (call/cc
   (lambda (return)
     (with-exception-handler
      (lambda (e) (return (list 'gave-up (vector-length (make-vector 10 e)))))
      (lambda () (let loop ((all '()) (i 0)) (if (= i n) 'fine (loop (cons i all) (+ i 1)))))))))
(write (map careful '(100 100000000 200)))
(newline)

;; And life goes on.
(write (length (let loop ((i 0) (all '())) (if (= i 10000) all (loop (+ i 1) (cons (list i) all))))))
(newline)
