/* The interpreter's state. There are no global variables: everything hangs off one struct vm,
 * so a process can run several interpreters, each on a heap of its own. */
#ifndef SCHEME_VM_H
#define SCHEME_VM_H

#include <midden/midden.h>
#include <stdio.h>

#include "opcodes.h"
#include "values.h"

/* A global variable. It lives outside the heap at a fixed address, so that code can hold a plain
 * pointer to it. All of it is registered as a root range: every word is a value or looks like a
 * fixnum. */
struct global {
  value content; /* UNDEFINED before its definition */
  value symbol;
  const struct builtin *builtin; /* while the global still has its original content, else NULL */
  value inlined;                 /* a fixnum: what the compiler may assume of the content, enum inline_kind */
  char *name;                    /* of a root of its own, for reports; see globals.c */
};

enum inline_kind {
  INLINE_NOTHING,
  INLINE_BUILTIN,     /* `builtin` says what it is */
  INLINE_CONSTRUCTOR, /* content is a record procedure made by define-record-type */
  INLINE_PREDICATE,
  INLINE_ACCESSOR,
  INLINE_MODIFIER
};

struct vm;

/* A procedure written in C. argv[0..argc) lie on the VM stack, which the heap scans: they stay
 * valid, and up to date, across allocations. Returns the result, or FAIL with the exception in
 * vm->roots.exception. */
struct builtin {
  const char *name;
  value (*function)(struct vm *vm, value *argv, int argc);
  int minimum;
  int maximum; /* -1: any number */
};

/* The kinds of heap objects, in the order of the table in heap.c. */
enum kind {
  KIND_NONE,
  KIND_PAIR,
  KIND_FLONUM,
  KIND_CLOSURE,
  KIND_VECTOR,
  KIND_CODE,
  KIND_BOX,
  KIND_STRING,
  KIND_BYTES,
  KIND_BYTEVECTOR,
  KIND_SYMBOL,
  KIND_RECORD_TYPE,
  KIND_RECORD,
  KIND_CONDITION,
  KIND_PORT,
  KIND_MULTIPLE,
  KIND_SEGMENT,
  KIND_WEAK_PAIR,
  KIND_EPHEMERON,
  KIND_HASHTABLE,
  KIND_WEAK_ENTRIES,
  KIND_COUNT
};

/* The interpreter's own references into the heap: one root range, so all members are values. */
struct vm_roots {
  value exception;            /* what is being raised */
  value out_of_memory;        /* preallocated condition: raising it needs no memory */
  value ballast;              /* given up when memory runs out, so that a handler has room to work */
  value segment;              /* the captured stack below the live one, or #f */
  value height;               /* of the part of `segment` that is still to be returned into */
  value winders;              /* dynamic-wind's list */
  value handlers;             /* exception handlers, innermost first */
  value raise;                /* the Scheme procedure that errors in the VM call */
  value rewind;               /* the Scheme procedure that changes winders */
  value input, output, error; /* current ports */
  /* code of procedures that are not compiled from source */
  value builtin_code, continuation_code, constructor_code, predicate_code, accessor_code, modifier_code;
  value underflow_code; /* where the lowest frame on the stack returns to */
};
#define VM_ROOT_COUNT (sizeof(struct vm_roots) / sizeof(value))

struct global_chunk {
  struct global_chunk *next;
  bool is_range; /* all of it is one root; otherwise each global is one, with its name */
  size_t used;
  struct global globals[256];
};

/* A growable array of values outside the heap, scanned precisely: for C code whose temporaries
 * have no fixed number (reader, compiler). */
struct value_stack {
  value *items;
  size_t count, capacity;
};

enum { CALLS_TOLD = 32, CALL_NAME_MAX = 64 };

struct vm {
  midden_mutator *mutator;
  /* [base, top) is what the heap scans. Whatever may allocate sets top first. */
  value *top;
  value *soft_limit; /* frames above it take the slow path, which moves it up; see stack.c */
  value *base;
  value *hard_limit;
  midden_heap *heap;
  midden_kind kinds[KIND_COUNT];
  uint8_t kind_of_id[MIDDEN_KIND_MAX + 1];
  struct vm_roots roots;
  const void *const *labels; /* of the VM loop, by opcode */

  value *symbols; /* open addressing; 0 marks a free slot */
  size_t symbol_count, symbol_capacity;
  struct global_chunk *globals;
  struct value_stack temporaries; /* reader, compiler */

  struct port *ports; /* all open ports */
  struct guard *guards; /* objects with a guardian; see builtins_weak.c */
  value *frame;       /* of the procedure that called a builtin, or allocates: where a call chain starts */
  bool is_booted;     /* globals are the program's from now on */
  char call_names[CALLS_TOLD][CALL_NAME_MAX]; /* of the calls in a sample of the profile */
  bool aborting;      /* the program is being left: raise calls no handler */
  bool exiting;       /* (exit) was called, with */
  int exit_code;
  bool overflowing; /* the stack's reserve is in use */
  size_t ballast_size;
  unsigned ballast_delay, ballast_backoff; /* see heap_restore_ballast */
  const char *const *arguments;            /* the program and its arguments */
  int argument_count;
};

/* The kind of an object with TAG_OBJECT: one load from the heap's page map. */
static inline enum kind kind_of(const struct vm *vm, value v) {
  return (enum kind)vm->kind_of_id[midden_kind_id_of(vm->mutator, object_of(v))];
}
static inline bool is_kind(const struct vm *vm, value v, enum kind kind) {
  return has_tag(v, TAG_OBJECT) && midden_kind_id_of(vm->mutator, object_of(v)) == vm->kinds[kind].id;
}
static inline bool is_string(const struct vm *vm, value v) { return is_kind(vm, v, KIND_STRING); }
static inline bool is_symbol(const struct vm *vm, value v) { return is_kind(vm, v, KIND_SYMBOL); }

/* vm.c: the loop. */
const void *const *vm_labels(void);
/* Runs a procedure of no arguments on an empty stack. post: its result; or FAIL: the program was
 * left by an error that was reported, or by (exit). */
value vm_execute(struct vm *vm, value procedure);

/* stack.c */
bool stack_open(struct vm *vm);
void stack_close(struct vm *vm);
/* Empties the stack. post: the frame to put the first procedure in. */
value *stack_reset(struct vm *vm);
/* Makes room for a frame at `frame`; false: the stack is exhausted, and an exception is set.
 * pre: vm->top covers what is live. */
bool stack_grow(struct vm *vm, value *frame);
/* Clears what lies above the live part, so that no stale reference is ever found there. */
void stack_scrub(struct vm *vm);
void stack_link_base(struct vm *vm);

/* continuation.c */
/* Moves all frames below `frame` into the heap. post: where `frame` is now; NULL: no memory. */
value *continuation_capture(struct vm *vm, value *frame);
/* A procedure that continues in what was captured, or FAIL. */
value continuation_make(struct vm *vm);
/* Makes a continuation the one to resume. */
void continuation_install(struct vm *vm, value continuation);
/* Copies the innermost captured frame back, and hands it `result`. post: its address, and where to
 * go on; NULL: there is none, the program is done. */
value *continuation_resume(struct vm *vm, const union word **resume_at, value result);

/* globals.c: symbols and global variables. The intern functions may collect, and return FAIL. */
struct global *global_of(struct vm *vm, value symbol);       /* NULL: no memory */
struct global *global_find(struct vm *vm, const char *name); /* NULL: no such global; does not collect */
value intern(struct vm *vm, const char *name);
value intern_bytes(struct vm *vm, const char *name, size_t size); /* UTF-8 */
value intern_string(struct vm *vm, value string);
/* The program gives the global a content of its own. */
void global_forget_builtin(struct global *global);
void symbol_table_close(struct vm *vm);

/* stubs.c: procedures that are not compiled from source. */
bool stubs_make(struct vm *vm);
value make_builtin(struct vm *vm, const struct builtin *builtin);
const struct builtin *builtin_of(value procedure);
value make_record_procedure(struct vm *vm, enum inline_kind kind, value type, value detail);
/* The record that a constructor's frame asks for. */
value record_construct(struct vm *vm, value *frame);

/* boot.c: fills a new interpreter with its procedures. false: no memory. */
bool scheme_boot(struct vm *vm);

#endif
