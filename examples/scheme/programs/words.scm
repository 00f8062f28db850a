;;; A text is made from a small grammar with a random number generator of our own, split into words,
;;; and the words are counted in a hash table made of vectors and association lists.
;;; Argument: the number of sentences (default 2000).

(import (scheme base) (scheme char) (scheme write))

(define seed 42)
(define (random n)
  (set! seed (modulo (+ (* seed 16807) 12345) 2147483647))
  (modulo (quotient seed 65536) n))

(define (pick list) (list-ref list (random (length list))))

(define grammar
  '((sentence (noun-phrase verb-phrase ".") (noun-phrase verb-phrase "," "and" sentence))
    (noun-phrase (article noun) (article adjective noun) (article adjective adjective noun))
    (verb-phrase (verb) (verb noun-phrase) (verb adverb))
    (article ("the") ("a") ("every") ("no"))
    (noun ("heap") ("pointer") ("collector") ("root") ("object") ("frame"))
    (adjective ("old") ("young") ("large") ("pinned") ("grey"))
    (verb ("moves") ("marks") ("sweeps") ("holds") ("forgets"))
    (adverb ("slowly") ("twice") ("never"))))

(define (expand symbol)
  (if (string? symbol)
      (list symbol)
      (append-map expand (pick (cdr (assq symbol grammar))))))

(define (join words)
  (let loop ((words (cdr words)) (text (car words)))
    (cond ((null? words) text)
          ((member (car words) '("." ",")) (loop (cdr words) (string-append text (car words))))
          (else (loop (cdr words) (string-append text " " (car words)))))))

(define (capitalize text)
  (string-append (string (char-upcase (string-ref text 0))) (substring text 1 (string-length text))))

(define (split text)
  (let loop ((i 0) (start #f) (words '()))
    (define (finish) (if start (cons (string-downcase (substring text start i)) words) words))
    (cond ((= i (string-length text)) (reverse (finish)))
          ((char-alphabetic? (string-ref text i)) (loop (+ i 1) (or start i) words))
          (else (loop (+ i 1) #f (finish))))))

;; ---- a table from strings to counts ----
(define (string-hash text size)
  (let loop ((i 0) (hash 5381))
    (if (= i (string-length text))
        (modulo hash size)
        (loop (+ i 1) (modulo (+ (* hash 33) (char->integer (string-ref text i))) 1000000007)))))

(define (table-increment! table word)
  (let* ((index (string-hash word (vector-length table)))
         (entry (assoc word (vector-ref table index))))
    (if entry
        (set-cdr! entry (+ (cdr entry) 1))
        (vector-set! table index (cons (cons word 1) (vector-ref table index))))))

(define (table->list table) (apply append (vector->list table)))

(define arguments (cdr (command-line)))
(define sentences (if (null? arguments) 2000 (string->number (car arguments))))

(define table (make-vector 13 '()))
(define characters 0)
(do ((i 0 (+ i 1))) ((= i sentences))
  (let ((text (capitalize (join (expand 'sentence)))))
    (if (< i 2) (begin (display text) (newline)))
    (set! characters (+ characters (string-length text)))
    (for-each (lambda (word) (table-increment! table word)) (split text))))

(define counts
  (sort (table->list table)
        (lambda (a b) (or (> (cdr a) (cdr b)) (and (= (cdr a) (cdr b)) (string<? (car a) (car b)))))))
(write characters)
(newline)
(for-each (lambda (entry) (display (car entry)) (display " ") (display (cdr entry)) (newline)) counts)
