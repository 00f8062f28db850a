;;; Symbolic differentiation and simplification. Argument: how often (default 2000).

(import (scheme base) (scheme write))

(define (variable? e) (symbol? e))
(define (operator e) (car e))
(define (left e) (cadr e))
(define (right e) (caddr e))

(define (sum a b)
  (cond ((and (number? a) (number? b)) (+ a b))
        ((eqv? a 0) b)
        ((eqv? b 0) a)
        ((equal? a b) (product 2 a))
        (else (list '+ a b))))

(define (difference a b)
  (cond ((and (number? a) (number? b)) (- a b))
        ((eqv? b 0) a)
        ((equal? a b) 0)
        (else (list '- a b))))

(define (product a b)
  (cond ((and (number? a) (number? b)) (* a b))
        ((or (eqv? a 0) (eqv? b 0)) 0)
        ((eqv? a 1) b)
        ((eqv? b 1) a)
        ((number? b) (product b a))
        ((and (number? a) (pair? b) (eq? (operator b) '*) (number? (left b)))
         (product (* a (left b)) (right b)))
        (else (list '* a b))))

(define (quotient-of a b)
  (cond ((eqv? a 0) 0)
        ((eqv? b 1) a)
        (else (list '/ a b))))

(define (power base exponent)
  (cond ((eqv? exponent 0) 1)
        ((eqv? exponent 1) base)
        (else (list '^ base exponent))))

(define (derive e x)
  (cond ((number? e) 0)
        ((variable? e) (if (eq? e x) 1 0))
        (else
         (case (operator e)
           ((+) (sum (derive (left e) x) (derive (right e) x)))
           ((-) (difference (derive (left e) x) (derive (right e) x)))
           ((*) (sum (product (derive (left e) x) (right e))
                     (product (left e) (derive (right e) x))))
           ((/) (quotient-of (difference (product (derive (left e) x) (right e))
                                         (product (left e) (derive (right e) x)))
                             (power (right e) 2)))
           ((^) (product (product (right e) (power (left e) (- (right e) 1)))
                         (derive (left e) x)))
           ((sin) (product `(cos ,(left e)) (derive (left e) x)))
           ((cos) (product -1 (product `(sin ,(left e)) (derive (left e) x))))
           ((exp) (product e (derive (left e) x)))
           ((log) (quotient-of (derive (left e) x) (left e)))
           (else (error "unknown operator" (operator e)))))))

(define (size e) (if (pair? e) (+ (size (car e)) (size (cdr e))) 1))

(define (derive-often e x n) (if (= n 0) e (derive-often (derive e x) x (- n 1))))

(define examples
  '((+ (* 3 (^ x 2)) (- (* a x) 5))
    (* (sin (* 2 x)) (exp (^ x 3)))
    (/ (log (+ x 1)) (+ (^ x 2) 1))
    (^ (+ x (* y 2)) 5)))

(for-each (lambda (e) (write (derive e 'x)) (newline)) examples)

(define arguments (cdr (command-line)))
(define times (if (null? arguments) 200 (string->number (car arguments))))
(define (repeat n result)
  (if (= n 0)
      result
      (repeat (- n 1) (map (lambda (e) (size (derive-often e 'x 4))) examples))))
(write (repeat times '()))
(newline)
(write (guard (e (#t (error-object-irritants e))) (derive '(tan x) 'x)))
(newline)
