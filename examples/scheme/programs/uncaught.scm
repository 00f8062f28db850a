;;; An error that nothing catches: the message, and the calls that led there, on standard error.

(import (scheme base) (scheme write))

(define (inner list) (+ 1 (vector-ref (car list) 7)))
(define (middle n) (* 2 (inner (cons (make-vector n 0) '()))))
(define (outer) (let loop ((i 0)) (if (< i 3) (begin (loop (+ i 1)) #f) (begin (middle i) #t))))

(display "before")
(newline)
(outer)
(display "never")
