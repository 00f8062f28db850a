;;; For the test files: (check name actual expected) compares with equal?, and counts.

(define checks-done 0)
(define checks-failed 0)

(define (check name actual expected)
  (set! checks-done (+ checks-done 1))
  (if (not (equal? actual expected))
      (begin
        (set! checks-failed (+ checks-failed 1))
        (display "FAILED ")
        (write name)
        (display ": ")
        (write actual)
        (display " instead of ")
        (write expected)
        (newline))))

;; The message of the error that the thunk raises, or #f.
(define (error-of thunk)
  (guard (e ((error-object? e) (error-object-message e))
            (else e))
    (thunk)
    #f))

(define (checks-end)
  (write checks-done)
  (display " checks, ")
  (write checks-failed)
  (display " failed")
  (newline)
  (exit (if (= checks-failed 0) 0 1)))
