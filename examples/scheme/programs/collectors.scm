;;; What a program may ask of the heap: figures, another collector, advice.
;;; The same data are built under one collector after the other, and stay.

(import (scheme base) (scheme write))

(define (show name right)
  (display name)
  (display (if right ": as it should be" ": WRONG"))
  (newline))

(define (figure name) (cdr (assq name (gc-stats))))

;; ---- figures ----
(define at-first (gc-stats))
(show "entries" (let loop ((left (cdr at-first)))
                  (or (null? left)
                      (and (symbol? (caar left)) (number? (cdar left)) (>= (cdar left) 0) (loop (cdr left))))))
(show "names" (let loop ((names '(collector collections minor-collections live-bytes used-bytes committed-bytes
                                  resident-bytes peak-committed-bytes total-pause-ns longest-pause-ns pinned-objects
                                  finalizers-queued finalizers-waiting external-bytes block-bytes identities)))
                (or (null? names) (and (assq (car names) at-first) (loop (cdr names))))))
(show "the collector" (eq? (figure 'collector) (gc-collector)))
(show "sizes" (<= (figure 'used-bytes) (figure 'committed-bytes) (figure 'peak-committed-bytes)))
(define port (open-input-file "/dev/null"))
(show "a port's buffer" (>= (figure 'block-bytes) (+ 8192 (cdr (assq 'block-bytes at-first)))))
(close-port port)

(define collects? (not (eq? (gc-collector) 'none)))
(define (difference name)
  (let ((before (figure name)))
    (gc)
    (- (figure name) before)))
(show "collections" (or (not collects?) (>= (difference 'requested-collections) 1)))

;; ---- collectors by turns ----
(define (build n) (if (= n 0) '() (cons (list n (number->string n)) (build (- n 1)))))
(define table (make-address-hashtable))
(define kept '())
(define (work)
  (set! kept (append (build 100) kept))
  (for-each (lambda (element) (hashtable-set! table element (car element))) kept)
  (gc))
(define (whole? n)
  (and (= (length kept) n)
       (let loop ((left kept))
         (or (null? left)
             (and (= (string->number (cadar left)) (caar left) (hashtable-ref table (car left) 0))
                  (loop (cdr left)))))))
(define first (gc-collector))
(for-each (lambda (name)
            (gc-use name)
            (work)
            (show name (eq? (string->symbol name) (gc-collector))))
          '("mark-sweep" "copying" "mark-compact" "copying" "mark-sweep"))
(gc-use first)
(work)
(show "back" (eq? first (gc-collector)))
(show "what was built" (whole? 600))
(show "changes are counted" (>= (figure 'collector-switches) 4))

;; ---- errors are conditions, and change nothing ----
(define (refused? argument)
  (guard (e ((error-object? e) (and (string? (error-object-message e)) (equal? (error-object-irritants e) (list argument)))))
    (gc-use argument)
    #f))
(show "no such collector" (and (refused? "reference-counting") (refused? (make-string 1000 #\x)) (eq? first (gc-collector))))
(show "no name" (refused? 5))

;; ---- advice ----
(show "the doctor" (let ((text (gc-doctor))) (and (string? text) (> (string-length text) 10))))
