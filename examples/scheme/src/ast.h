/* The compiler's tree.
 *
 * It lives in an arena outside the heap. A node never holds a reference to a heap object: those
 * are in vm->temporaries, which the heap scans, and the tree has their indices (`pooled`). The
 * exception is variable.symbol, which only the parser reads, and the parser does not allocate in
 * the heap. */
#ifndef SCHEME_AST_H
#define SCHEME_AST_H

#include <setjmp.h>

#include "keywords.h"
#include "vm.h"

typedef size_t pooled;

enum node_kind {
  NODE_IMMEDIATE,
  NODE_CONSTANT,
  NODE_LOCAL,
  NODE_GLOBAL,
  NODE_SET_LOCAL,  /* value */
  NODE_SET_GLOBAL, /* value */
  NODE_DEFINE,     /* value */
  NODE_IF,         /* test, then, else */
  NODE_OR,         /* first, second */
  NODE_SEQUENCE,
  NODE_LAMBDA,
  NODE_CALL,      /* procedure, arguments */
  NODE_LET,       /* values, body */
  NODE_LETREC,    /* values, in order, body: letrec* */
  NODE_PRIMITIVE, /* arguments */
  NODE_BUILTIN,   /* arguments */
  NODE_RECORD     /* arguments */
};

struct node {
  enum node_kind kind;
  int count;
  struct node **children;
  union {
    value immediate;
    pooled constant;
    struct variable *variable;
    struct variable **variables; /* LET, LETREC: count - 1 of them */
    struct global *global;
    struct lambda *lambda;
    const struct primitive *primitive;
    const struct builtin *builtin;
    struct record_procedure *record;
  } u;
};

struct variable {
  value symbol;
  struct lambda *lambda;           /* what it is bound to, if that is a lambda expression */
  struct record_procedure *record; /* not a variable at run time: defined by define-record-type */
  struct lambda *home;             /* the procedure whose frame it lives in */
  bool assigned;                   /* by set! */
  bool captured;                   /* by a closure */
  bool crosses_call;               /* there is a call in its scope */
  bool ready;                      /* analysis: its definition comes before the place being looked at */
  bool boxed;
  int reg;
};

struct lambda {
  struct variable **parameters; /* `required` of them, then the rest list if there is one */
  int required;
  bool rest;
  pooled name;
  struct node *body;
  struct variable *self; /* bound to it and nothing else, or NULL */
  /* A lambda expression whose variable is only called, always with the continuation of the form
   * that binds it, needs no closure: its body is a part of the enclosing procedure that is jumped
   * to ("contification"; Fluet and Weeks, "Contification using dominators", 2001, give the
   * general form). */
  bool is_label;
  int context;           /* analysis: the continuation of the form that binds it */
  int label;             /* code generation */
  struct lambda *parent; /* the procedure that makes its closure */
  struct variable **captures;
  int capture_count, capture_capacity;
};

/* A procedure of a define-record-type form. */
struct record_procedure {
  enum inline_kind kind;
  pooled type, name;
  pooled procedure; /* as a value; 0: not made yet */
  int field;        /* accessor, modifier */
  int field_count;
  int argument_count;
  int *arguments; /* constructor: for each field the number of its argument from 1, or 0 */
  struct record_procedure *next;
};

/* A record type to be made once parsing is over. */
struct record_definition {
  pooled type, name, fields;
  int field_count;
  struct record_definition *next;
};

struct scope {
  struct scope *parent;
  struct variable **variables;
  int count, capacity;
};

struct arena_block;

struct compiler {
  struct vm *vm;
  struct arena_block *arena;
  struct record_definition *records;
  struct record_procedure *record_procedures;
  struct generator *generators;  /* innermost first */
  int context_count, call_count; /* analysis */
  bool changed;
  int nesting, quasi_nesting;
  jmp_buf failure;
  const char *message; /* NULL: out of memory, and the exception is set */
  value culprit;
};

/* ---- parse*.c ---- */
struct node *parse(struct compiler *compiler, value form, struct scope *scope);
struct node *parse_toplevel(struct compiler *compiler, value form);
struct node *parse_body(struct compiler *compiler, value forms, struct scope *scope);
struct node *parse_lambda(struct compiler *compiler, value formals, value body, value name,
                          struct scope *scope);
struct node *parse_sequence(struct compiler *compiler, value forms, struct scope *scope);
value definition_name(struct compiler *compiler, value form);
struct node *definition_value(struct compiler *compiler, value form, struct scope *scope);
/* The form with a keyword at its head, by the keyword. */
struct node *parse_special(struct compiler *compiler, enum keyword keyword, value form, struct scope *scope);
struct node *parse_derived(struct compiler *compiler, enum keyword keyword, value form, struct scope *scope);
/* The expression of (name expression). */
value binding_init(struct compiler *compiler, value binding, value form);
struct node *parse_binding_form(struct compiler *compiler, enum keyword keyword, value form,
                                struct scope *scope);
struct node *parse_quasiquote(struct compiler *compiler, value template, int depth, struct scope *scope);
struct node *parse_call(struct compiler *compiler, struct node *procedure, struct node **arguments,
                        int count);
void parse_record_definition(struct compiler *compiler, value form, struct scope *scope);
struct node *parse_record_globals(struct compiler *compiler);
enum keyword keyword_of(struct compiler *compiler, value form, struct scope *scope);
/* The global variable of a symbol, made if need be. */
struct global *parse_global(struct compiler *compiler, value symbol);
struct variable *lookup(struct scope *scope, value symbol);
struct variable *scope_add(struct compiler *compiler, struct scope *scope, value symbol);
value require_symbol(struct compiler *compiler, value symbol, value form);
int form_length(struct compiler *compiler, value form); /* refuses what is no list */
value form_item(value form, int index);
_Noreturn void syntax_error(struct compiler *compiler, const char *message, value form);

/* ---- nodes.c ---- */
void *arena_take(struct compiler *compiler, size_t size);
void arena_close(struct compiler *compiler);
pooled pool(struct compiler *compiler, value v);
_Noreturn void compile_out_of_memory(struct compiler *compiler);
struct node *new_node(struct compiler *compiler, enum node_kind kind, int count);
struct node *new_immediate(struct compiler *compiler, value v);
struct node *new_constant(struct compiler *compiler, value v);
struct node *new_local(struct compiler *compiler, struct variable *variable);
struct node *new_if(struct compiler *compiler, struct node *test, struct node *then, struct node *otherwise);
struct node *new_or(struct compiler *compiler, struct node *first, struct node *second);
struct node *new_pair_sequence(struct compiler *compiler, struct node *first, struct node *second);
struct node *new_global_call(struct compiler *compiler, const char *name, struct node **arguments, int count);
struct node *new_let(struct compiler *compiler, struct variable *variable, struct node *init,
                     struct node *body);
struct node *new_thunk(struct compiler *compiler, struct node *body);
struct variable *new_variable(struct compiler *compiler, value symbol);
struct lambda *new_lambda(struct compiler *compiler, int parameter_count);

/* ---- analyse.c, generate.c ---- */
void analyse(struct compiler *compiler, struct lambda *toplevel);
/* Makes the code object. MAY COLLECT AND MOVE. */
value generate(struct compiler *compiler, struct lambda *lambda);
/* After a failure: frees what the unfinished procedures have. */
void generate_abandon(struct compiler *compiler);

#endif
