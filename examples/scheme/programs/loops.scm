;;; Loops and tail calls that must run in constant space. Argument: iterations (default 300000).

(import (scheme base) (scheme write))

(define arguments (cdr (command-line)))
(define times (if (null? arguments) 300000 (string->number (car arguments))))

(define (show name x) (display name) (display " ") (write x) (newline))

(show 'named-let (let loop ((i 0) (sum 0)) (if (= i times) sum (loop (+ i 1) (+ sum (modulo i 7))))))
(show 'do (do ((i 0 (+ i 1)) (sum 0. (+ sum 0.5))) ((= i times) sum)))
(show 'nested
      (let outer ((i 0) (count 0))
        (if (= i 100)
            count
            (let inner ((j 0) (count count))
              (if (< j (quotient times 1000))
                  (inner (+ j 1) (+ count 1))
                  (outer (+ i 1) count))))))

(define (ping n) (if (= n 0) 'ping (pong (- n 1))))
(define (pong n) (if (= n 0) 'pong (ping (- n 1))))
(show 'mutual (list (ping times) (ping (+ times 1))))

(define (state-machine input)
  (define (start l) (cond ((null? l) 'empty) ((eq? (car l) 'a) (seen-a (cdr l))) (else (start (cdr l)))))
  (define (seen-a l) (cond ((null? l) 'a) ((eq? (car l) 'b) (seen-ab (cdr l) 1)) (else (start (cdr l)))))
  (define (seen-ab l n) (cond ((null? l) (list 'ab n)) ((eq? (car l) 'a) (again l n)) (else (seen-ab (cdr l) n))))
  (define (again l n) (if (and (pair? (cdr l)) (eq? (cadr l) 'b)) (seen-ab (cddr l) (+ n 1)) (seen-ab (cdr l) n)))
  (start input))
(show 'state-machine (state-machine (apply append (map (lambda (i) (list 'c 'a 'b 'a)) (iota 1000)))))

(show 'through-apply (let loop ((n (quotient times 10))) (if (= n 0) 'ok (apply loop (list (- n 1))))))
(show 'through-cond (let loop ((n times)) (cond ((= n 0) 'ok) ((odd? n) (loop (- n 1))) (else (loop (- n 1))))))
(show 'through-and (let loop ((n times)) (and #t (or (= n 0) (loop (- n 1))))))
(show 'through-case (let loop ((n times)) (case (modulo n 3) ((0) (if (= n 0) 'ok (loop (- n 1)))) ((1 2) (loop (- n 1))))))
(show 'through-when (let ((n times)) (let loop () (when (> n 0) (set! n (- n 1)) (loop))) n))
(show 'through-call/cc (let loop ((n (quotient times 10))) (if (= n 0) 'ok (call/cc (lambda (k) (loop (- n 1)))))))
(show 'through-values (let loop ((n (quotient times 10))) (if (= n 0) 'ok (call-with-values (lambda () (values (- n 1) 0)) (lambda (a b) (loop a))))))
(show 'continuation-passing
      (let ()
        (define (factorial n k) (if (= n 0) (k 1) (factorial (- n 1) (lambda (r) (k (modulo (* n r) 1000003))))))
        (factorial (quotient times 100) (lambda (r) r))))
(show 'vector-fill
      (let ((v (make-vector 1000 0)))
        (do ((i 0 (+ i 1))) ((= i times) (vector-ref v 999))
          (vector-set! v (modulo i 1000) i))))
(show 'assigned (let ((count 0)) (for-each (lambda (x) (set! count (+ count x))) (iota 1000)) count))
