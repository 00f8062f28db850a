;;; Records and vectors that come and go: a priority queue, a ring of queues, a sparse matrix.
;;; Argument: the number of events (default 20000).

(import (scheme base) (scheme write))

(define arguments (cdr (command-line)))
(define events (if (null? arguments) 20000 (string->number (car arguments))))

(define (make-random seed)
  (lambda (n)
    (set! seed (modulo (+ (* seed 16807) 1) 2147483647))
    (modulo seed n)))
(define random (make-random 12345))

;; ---- a binary heap in a vector that grows ----
(define-record-type event (make-event time kind payload) event?
  (time event-time)
  (kind event-kind)
  (payload event-payload set-event-payload!))

(define-record-type queue (make-queue count items) queue?
  (count queue-count set-queue-count!)
  (items queue-items set-queue-items!))

(define (queue-add! queue event)
  (let ((n (queue-count queue)))
    (if (= n (vector-length (queue-items queue)))
        (set-queue-items! queue (vector-append (queue-items queue) (make-vector n #f))))
    (set-queue-count! queue (+ n 1))
    (let ((items (queue-items queue)))
      (let up ((i n))
        (let ((parent (quotient (- i 1) 2)))
          (if (and (> i 0) (< (event-time event) (event-time (vector-ref items parent))))
              (begin (vector-set! items i (vector-ref items parent))
                     (up parent))
              (vector-set! items i event)))))))

(define (queue-take! queue)
  (let* ((items (queue-items queue))
         (n (- (queue-count queue) 1))
         (first (vector-ref items 0))
         (last (vector-ref items n)))
    (vector-set! items n #f)
    (set-queue-count! queue n)
    (let down ((i 0))
      (let* ((l (+ i i 1)) (r (+ l 1))
             (child (if (and (< r n) (< (event-time (vector-ref items r)) (event-time (vector-ref items l)))) r l)))
        (if (and (< child n) (< (event-time (vector-ref items child)) (event-time last)))
            (begin (vector-set! items i (vector-ref items child))
                   (down child))
            (if (> n 0) (vector-set! items i last)))))
    first))

(define (simulate)
  (let ((queue (make-queue 0 (make-vector 4 #f))) (kinds (make-vector 3 0)))
    (do ((i 0 (+ i 1))) ((= i 50))
      (queue-add! queue (make-event (random 100) (random 3) (list i))))
    (let loop ((n 0) (now 0))
      (if (= n events)
          (list now (vector->list kinds) (queue-count queue))
          (let* ((event (queue-take! queue)) (kind (event-kind event)))
            (if (< (event-time event) now) (error "time runs backwards" now))
            (vector-set! kinds kind (+ 1 (vector-ref kinds kind)))
            (set-event-payload! event (cons n (event-payload event)))
            (queue-add! queue (make-event (+ (event-time event) 1 (random 60)) (random 3)
                                          (if (> (length (event-payload event)) 20) '() (event-payload event))))
            (loop (+ n 1) (event-time event)))))))
(write (simulate))
(newline)

;; ---- a sparse matrix of flonums as vectors of association lists ----
(define-record-type matrix (make-matrix rows) matrix? (rows matrix-rows))
(define (matrix-ref m i j)
  (let ((entry (assv j (vector-ref (matrix-rows m) i)))) (if entry (cdr entry) 0.)))
(define (random-matrix n)
  (make-matrix
   (vector-map (lambda (i) (map (lambda (k) (cons (random n) (inexact (- (random 9) 4)))) (iota 5)))
               (list->vector (iota n)))))
(define (row-times row m)
  (let ((sums '()))
    (for-each
     (lambda (entry)
       (for-each
        (lambda (other)
          (let ((old (assv (car other) sums)) (x (* (cdr entry) (cdr other))))
            (if old
                (set-cdr! old (+ (cdr old) x))
                (set! sums (cons (cons (car other) x) sums)))))
        (vector-ref (matrix-rows m) (car entry))))
     row)
    sums))
(define (matrix* a b) (make-matrix (vector-map (lambda (row) (row-times row b)) (matrix-rows a))))
(define (trace m)
  (do ((i 0 (+ i 1)) (sum 0. (+ sum (matrix-ref m i i)))) ((= i (vector-length (matrix-rows m))) sum)))
(let* ((n (max 10 (quotient events 400))) (m (random-matrix n)))
  (write (list n (trace m) (trace (matrix* m m)) (trace (matrix* (matrix* m m) m))))
  (newline))
