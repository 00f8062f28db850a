;;; Files and ports: written, read back by characters, lines and data, and deleted.
;;; Argument: a file name that may be overwritten (default /tmp/midden-scheme-ports-test).

(import (scheme base) (scheme file) (scheme read) (scheme write) (scheme char))

(define arguments (cdr (command-line)))
(define name (if (null? arguments) "/tmp/midden-scheme-ports-test" (car arguments)))

(if (file-exists? name) (delete-file name))
(write (file-exists? name))
(newline)

(call-with-output-file name
  (lambda (port)
    (do ((i 0 (+ i 1))) ((= i 500))
      (write (list i (* i i) (number->string i 2) (string->symbol (string-append "s" (number->string i)))) port)
      (newline port))
    (write-string "last line, without an end" port)))
(write (file-exists? name))
(newline)

(define (count-with next)
  (call-with-input-file name
    (lambda (port)
      (let loop ((n 0))
        (if (eof-object? (next port)) n (loop (+ n 1)))))))
(write (list (count-with read-char) (count-with read-line) (count-with (lambda (port) (read-string 100 port)))))
(newline)

;; The data that were written come back equal.
(define (expected i)
  (list i (* i i) (number->string i 2) (string->symbol (string-append "s" (number->string i)))))
(write (call-with-input-file name
         (lambda (port)
           (let loop ((i 0))
             (let ((datum (read port)))
               (if (pair? datum)
                   (and (equal? datum (expected i)) (loop (+ i 1)))
                   (list i datum (peek-char port))))))))
(newline)

;; A word count by characters, with peek-char.
(define (count-words port)
  (let loop ((words 0) (inside #f))
    (let ((c (read-char port)))
      (cond ((eof-object? c) (if inside (+ words 1) words))
            ((char-whitespace? c) (loop (if inside (+ words 1) words) #f))
            (else (loop words #t))))))
(write (call-with-input-file name count-words))
(newline)

;; Copying with the current ports.
(define copy (string-append name ".copy"))
(with-output-to-file copy
  (lambda ()
    (with-input-from-file name
      (lambda ()
        (let loop ((line (read-line)))
          (if (not (eof-object? line))
              (begin (display (string-upcase line)) (newline) (loop (read-line)))))))))
(write (call-with-input-file copy (lambda (port) (list (read-line port) (read-line port)))))
(newline)

(let ((in (open-input-file copy)))
  (write (list (input-port? in) (char-ready? in) (peek-char in) (read-char in)))
  (close-input-port in)
  (write (guard (e (#t (error-object-message e))) (read-char in)))
  (newline))

(delete-file name)
(delete-file copy)
(write (list (file-exists? name) (file-exists? copy)))
(write (guard (e ((file-error? e) 'file-error)) (open-input-file name)))
(newline)

;; Standard input is the program's.
(write (list (read) (read-char) (read-line) (read)))
(newline)
(write (let loop ((sum 0)) (let ((x (read))) (if (eof-object? x) sum (loop (+ sum x))))))
(newline)
