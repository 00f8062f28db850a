;;; The procedures that call procedures: written in Scheme, so that the interpreter's C code never
;;; waits for Scheme code. Compiled when an interpreter is opened.
;;; Names that start with % are for the compiler and for this file.

;; ---- Exceptions ----
;; Handlers are a list, innermost first; a handler runs with those outside it.

(define (raise condition)
  (let ((handlers (%handlers)))
    (if (null? handlers)
        (%uncaught condition)
        (begin
          (%set-handlers! (cdr handlers))
          ((car handlers) condition)
          (%set-handlers! (cdr handlers))
          (raise (%make-error "a handler returned from an exception that cannot be continued"
                              (list condition)))))))

(define (raise-continuable condition)
  (let ((handlers (%handlers)))
    (if (null? handlers)
        (%uncaught condition)
        (begin
          (%set-handlers! (cdr handlers))
          (let ((result ((car handlers) condition)))
            (%set-handlers! handlers)
            result)))))

(define (error message . irritants)
  (raise (%make-error message irritants)))

(define (with-exception-handler handler thunk)
  (let ((handlers (%handlers)))
    (%install-handlers! (cons handler handlers))
    (let ((result (thunk)))
      (%set-handlers! handlers)
      result)))

(define (condition/report-string condition)
  (let ((port (open-output-string)))
    (display (error-object-message condition) port)
    (for-each (lambda (irritant) (display " " port) (write irritant port))
              (error-object-irritants condition))
    (get-output-string port)))

;; (guard (e clause ...) body ...): `handler` takes the condition, and a thunk that raises it again
;; where it was raised. To be able to go back there is to capture that continuation, which takes memory
;; in proportion to the stack: when memory or the stack has run out, the condition is raised again from
;; the guard.
(define (%guard body handler)
  ((call/cc
    (lambda (guard-continuation)
      (define (handle condition)
        (if (%exhaustion? condition)
            (guard-continuation
             (lambda () (handler condition (lambda () (raise-continuable condition)))))
            ((call/cc
              (lambda (raise-continuation)
                (guard-continuation
                 (lambda ()
                   (handler condition
                            (lambda ()
                              (raise-continuation
                               (lambda () (raise-continuable condition))))))))))))
      (with-exception-handler
       handle
       (lambda ()
         (let ((result (body)))
           (guard-continuation (lambda () result)))))))))

;; ---- dynamic-wind ----
;; The winders are a list of (before . after), innermost first.

(define (dynamic-wind before thunk after)
  (before)
  (%set-winders! (cons (cons before after) (%winders)))
  (let ((result (thunk)))
    (%set-winders! (cdr (%winders)))
    (after)
    result))

(define (%common-tail a b)
  (let loop ((a a) (b b) (m (length a)) (n (length b)))
    (cond ((eq? a b) a)
          ((> m n) (loop (cdr a) b (- m 1) n))
          ((< m n) (loop a (cdr b) m (- n 1)))
          (else (loop (cdr a) (cdr b) (- m 1) (- n 1))))))

(define (%rewind-to winders)
  (let ((common (%common-tail (%winders) winders)))
    (let unwind ()
      (let ((now (%winders)))
        (if (not (eq? now common))
            (begin
              (%set-winders! (cdr now))
              ((cdr (car now)))
              (unwind)))))
    (let wind ((to winders))
      (if (not (eq? to common))
          (begin
            (wind (cdr to))
            ((car (car to)))
            (%set-winders! to))))))

(define (%rewind continuation result)
  (%rewind-to (%continuation-winders continuation))
  (%resume continuation result))

(define (exit . code)
  (%rewind-to '())
  (apply %exit code))

;; ---- Parameters ----

(define (make-parameter initial . converter)
  (let* ((convert (if (null? converter) (lambda (x) x) (car converter)))
         (content (convert initial)))
    (lambda arguments
      (cond ((null? arguments) content)
            ((eq? (car arguments) '%set) (set! content (cadr arguments)))
            ((eq? (car arguments) '%convert) (convert (cadr arguments)))
            (else (error "a parameter takes no argument" (car arguments)))))))

(define (%parameterize bindings thunk)
  (let ((parameters (map car bindings))
        (contents (map (lambda (binding) ((car binding) '%convert (cdr binding))) bindings)))
    (define (swap)
      (set! contents
            (map (lambda (parameter content)
                   (let ((old (parameter)))
                     (parameter '%set content)
                     old))
                 parameters contents)))
    (dynamic-wind swap thunk swap)))

;; ---- Promises ----

(define-record-type promise (%make-promise box) promise?
  (box %promise-box %set-promise-box!))

(define (make-promise x) (if (promise? x) x (%make-promise (cons #t x))))
(define (%make-lazy thunk) (%make-promise (cons #f thunk)))
(define (%make-delayed thunk) (%make-lazy (lambda () (make-promise (thunk)))))
(define (force promise)
  (if (promise? promise)
      (let loop ()
        (let ((box (%promise-box promise)))
          (if (car box)
              (cdr box)
              (let ((next ((cdr box))))
                (let ((box (%promise-box promise)))
                  (if (not (car box))
                      (let ((next-box (%promise-box next)))
                        (set-car! box (car next-box))
                        (set-cdr! box (cdr next-box))
                        (%set-promise-box! next box))))
                (loop)))))
      promise))

;; ---- case-lambda ----

(define (%case-lambda . clauses)
  (lambda arguments
    (let ((count (length arguments)))
      (let loop ((rest clauses))
        (if (null? rest)
            (error "no clause of the case-lambda takes so many arguments" count)
            (let ((arity (%procedure-arity (car rest))))
              (if (or (= arity count) (and (< arity 0) (>= count (- -1 arity))))
                  (apply (car rest) arguments)
                  (loop (cdr rest)))))))))

;; ---- Lists ----

(define (%any-null? lists)
  (and (pair? lists)
       (or (not (pair? (car lists))) (%any-null? (cdr lists)))))

(define (%map1 f list)
  (let loop ((rest list) (result '()))
    (if (pair? rest)
        (loop (cdr rest) (cons (f (car rest)) result))
        (reverse result))))

(define (map f list . lists)
  (if (null? lists)
      (%map1 f list)
      (let loop ((lists (cons list lists)) (result '()))
        (if (%any-null? lists)
            (reverse result)
            (loop (%map1 cdr lists) (cons (apply f (%map1 car lists)) result))))))

(define (for-each f list . lists)
  (if (null? lists)
      (let loop ((rest list))
        (if (pair? rest)
            (begin (f (car rest)) (loop (cdr rest)))))
      (let loop ((lists (cons list lists)))
        (if (not (%any-null? lists))
            (begin (apply f (%map1 car lists))
                   (loop (%map1 cdr lists)))))))

(define (append-map f list . lists) (apply append (apply map f list lists)))

(define (filter keep? list)
  (let loop ((rest list) (result '()))
    (cond ((not (pair? rest)) (reverse result))
          ((keep? (car rest)) (loop (cdr rest) (cons (car rest) result)))
          (else (loop (cdr rest) result)))))

(define (remove drop? list) (filter (lambda (x) (not (drop? x))) list))
(define (delete x list) (filter (lambda (y) (not (equal? x y))) list))

(define (fold-left f initial list)
  (let loop ((result initial) (rest list))
    (if (pair? rest) (loop (f result (car rest)) (cdr rest)) result)))

(define (fold-right f initial list)
  (let loop ((result initial) (rest (reverse list)))
    (if (pair? rest) (loop (f (car rest) result) (cdr rest)) result)))

(define (fold f initial list)
  (let loop ((result initial) (rest list))
    (if (pair? rest) (loop (f (car rest) result) (cdr rest)) result)))

(define (reduce f initial list)
  (if (pair? list) (fold f (car list) (cdr list)) initial))

(define (member x list . same)
  (if (null? same)
      (%member x list)
      (let loop ((rest list))
        (and (pair? rest)
             (if ((car same) x (car rest)) rest (loop (cdr rest)))))))

(define (assoc x list . same)
  (if (null? same)
      (%assoc x list)
      (let loop ((rest list))
        (and (pair? rest)
             (if ((car same) x (car (car rest))) (car rest) (loop (cdr rest)))))))

(define (list-sort less? list)
  (define (merge a b)
    (let loop ((a a) (b b) (result '()))
      (cond ((null? a) (append-reverse! result b))
            ((null? b) (append-reverse! result a))
            ((less? (car b) (car a)) (loop a (cdr b) (cons (car b) result)))
            (else (loop (cdr a) b (cons (car a) result))))))
  (define (append-reverse! reversed tail)
    (if (null? reversed)
        tail
        (let ((next (cdr reversed)))
          (set-cdr! reversed tail)
          (append-reverse! next reversed))))
  (define (sort list count)
    (if (= count 1)
        (cons (car list) '())
        (let ((half (quotient count 2)))
          (merge (sort list half) (sort (list-tail list half) (- count half))))))
  (if (null? list) '() (sort list (length list))))

(define (sort sequence less?)
  (cond ((vector? sequence) (list->vector (list-sort less? (vector->list sequence))))
        (else (list-sort less? sequence))))

;; ---- Vectors and strings ----

(define (%shortest length first rest)
  (fold-left (lambda (n sequence) (min n (length sequence))) (length first) rest))

(define (vector-map f vector . vectors)
  (let* ((n (%shortest vector-length vector vectors))
         (result (make-vector n)))
    (if (null? vectors)
        (do ((i 0 (+ i 1))) ((= i n) result)
          (vector-set! result i (f (vector-ref vector i))))
        (do ((i 0 (+ i 1))) ((= i n) result)
          (vector-set! result i
                       (apply f (%map1 (lambda (v) (vector-ref v i)) (cons vector vectors))))))))

(define (vector-for-each f vector . vectors)
  (let ((n (%shortest vector-length vector vectors)))
    (if (null? vectors)
        (do ((i 0 (+ i 1))) ((= i n))
          (f (vector-ref vector i)))
        (do ((i 0 (+ i 1))) ((= i n))
          (apply f (%map1 (lambda (v) (vector-ref v i)) (cons vector vectors)))))))

(define (string-map f string . strings)
  (list->string (apply map f (string->list string) (%map1 string->list strings))))

(define (string-for-each f string . strings)
  (apply for-each f (string->list string) (%map1 string->list strings)))

(define (string-count string wanted?)
  (let loop ((i 0) (n 0))
    (if (= i (string-length string))
        n
        (loop (+ i 1) (if (wanted? (string-ref string i)) (+ n 1) n)))))

;; ---- Integer division with two results ----

(define (floor/ n d) (values (floor-quotient n d) (floor-remainder n d)))
(define (truncate/ n d) (values (truncate-quotient n d) (truncate-remainder n d)))

(define (boolean->integer b) (if b 1 0))

;; ---- Ports ----

(define (call-with-port port procedure)
  (let ((result (procedure port)))
    (close-port port)
    result))

(define (call-with-input-file name procedure)
  (call-with-port (open-input-file name) procedure))
(define (call-with-output-file name procedure)
  (call-with-port (open-output-file name) procedure))
(define (call-with-output-string procedure)
  (let ((port (open-output-string)))
    (procedure port)
    (get-output-string port)))

(define (with-input-from-file name thunk)
  (let ((port (open-input-file name)) (old (current-input-port)))
    (let ((result (dynamic-wind (lambda () (%set-current-input! port))
                                thunk
                                (lambda () (%set-current-input! old)))))
      (close-port port)
      result)))

(define (with-output-to-file name thunk)
  (let ((port (open-output-file name)) (old (current-output-port)))
    (let ((result (dynamic-wind (lambda () (%set-current-output! port))
                                thunk
                                (lambda () (%set-current-output! old)))))
      (close-port port)
      result)))

(define (with-output-to-string thunk)
  (let ((port (open-output-string)) (old (current-output-port)))
    (dynamic-wind (lambda () (%set-current-output! port))
                  thunk
                  (lambda () (%set-current-output! old)))
    (get-output-string port)))

(define (load name . environment)
  (let ((port (open-input-file name)))
    (let loop ()
      (let ((form (read port)))
        (if (eof-object? form)
            (close-port port)
            (begin (eval form) (loop)))))))

;; ---- hash tables ----

(define (hashtable-update! table key procedure default)
  (hashtable-set! table key (procedure (hashtable-ref table key default))))

;; The keys hold the entries of a weak table until the values are taken, so that both are as many.
(define (hashtable-entries table)
  (let* ((keys (hashtable-keys table)) (contents (hashtable-values table)))
    (reference-barrier keys)
    (values keys contents)))

(define (hashtable->alist table) (vector->list (%hashtable-cells table)))

;; With the entries that are there when it begins: the procedure may change the table.
(define (hashtable-walk table procedure)
  (vector-for-each (lambda (cell) (procedure (car cell) (cdr cell))) (%hashtable-cells table)))

;; ---- guardians ----
;; (guardian object) guards it; (guardian) is an object that was guarded and is not reachable any
;; more, and now is again; or #f.
(define (make-guardian)
  (let ((queue (list '())))
    (lambda arguments
      (if (pair? arguments)
          (%add-guarded (car arguments) queue)
          (begin
            (%run-finalizers)
            (if (null? (car queue))
                #f
                (let ((object (caar queue)))
                  (set-car! queue (cdar queue))
                  object)))))))

(define (this-scheme-implementation-name) "midden-scheme")
