;;; How many ways are there to put n queens on a board, by lists and by bits; and one way for each n.
;;; Argument: the largest n (default 8).

(import (scheme base) (scheme write))

(define (safe? column distance placed)
  (or (null? placed)
      (let ((other (car placed)))
        (and (not (= other column))
             (not (= (abs (- other column)) distance))
             (safe? column (+ distance 1) (cdr placed))))))

(define (solutions n)
  (let extend ((row 0) (boards '(())))
    (if (= row n)
        boards
        (extend (+ row 1)
                (append-map
                 (lambda (board)
                   (let loop ((column 0) (more '()))
                     (cond ((= column n) more)
                           ((safe? column 1 board) (loop (+ column 1) (cons (cons column board) more)))
                           (else (loop (+ column 1) more)))))
                 boards)))))

(define (count-by-bits n)
  (let ((all (- (arithmetic-shift 1 n) 1)))
    (let place ((columns 0) (left 0) (right 0))
      (if (= columns all)
          1
          (let loop ((free (bitwise-and all (bitwise-not (bitwise-ior columns left right)))) (total 0))
            (if (= free 0)
                total
                (let ((bit (bitwise-and free (- free))))
                  (loop (- free bit)
                        (+ total (place (bitwise-ior columns bit)
                                        (arithmetic-shift (bitwise-ior left bit) 1)
                                        (arithmetic-shift (bitwise-ior right bit) -1)))))))))))

;; The first solution, found with an escape.
(define (first-solution n)
  (call/cc
   (lambda (return)
     (let try ((row 0) (board '()))
       (if (= row n) (return (reverse board)))
       (do ((column 0 (+ column 1))) ((= column n))
         (if (safe? column 1 board) (try (+ row 1) (cons column board)))))
     #f)))

(define arguments (cdr (command-line)))
(define largest (if (null? arguments) 8 (string->number (car arguments))))
(do ((n 1 (+ n 1))) ((> n largest))
  (write (list n (length (solutions n)) (count-by-bits n) (first-solution n)))
  (newline))
