/* What the parts of the code generator share. */
#ifndef SCHEME_GENERATE_H
#define SCHEME_GENERATE_H

#include "assembler.h"
#include "ast.h"
#include "compiler.h"

struct generator {
  struct compiler *compiler;
  struct assembler assembler;
  struct lambda *procedure;
  struct generator *enclosing; /* of the procedure that contains this one */
  int depth;                   /* the next free register */
  int maximum;
  int start;      /* label of the first instruction after the entry: where self tail calls go */
  bool reachable; /* the next instruction can be reached: if not, none is emitted */
};

/* What becomes of an expression's value. */
struct target {
  enum { TARGET_VALUE, TARGET_EFFECT, TARGET_TAIL, TARGET_TEST } mode;
  int reg;     /* VALUE: where it goes */
  int yes, no; /* TEST: labels to go to */
  int next;    /* TEST: the label that comes next, or -1 */
};

static inline bool is_boxed(const struct variable *variable) {
  return variable->boxed || (variable->assigned && (variable->captured || variable->crosses_call));
}

void generate_node(struct generator *generator, struct node *node, struct target target);
void generate_into(struct generator *generator, struct node *node, int reg);
/* Into the next free register, which is then taken. */
int generate_push(struct generator *generator, struct node *node);
/* The register that holds the value: a variable's own, or the next free one. */
int generate_operand(struct generator *generator, struct node *node);
/* Where an instruction whose last act is to write its result should put it. */
int result_register(struct generator *generator, struct target target);
/* Does with the value in `reg` what the target says. */
void deliver(struct generator *generator, int reg, struct target target);
void deliver_immediate(struct generator *generator, value v, struct target target);

size_t emit(struct generator *generator, enum opcode opcode, int a, int b, int c, int d);
void emit_word(struct generator *generator, union word word);
void emit_immediate(struct generator *generator, int reg, value v);
void emit_jump(struct generator *generator, int label);
void emit_branch(struct generator *generator, enum opcode opcode, int a, int b, struct target target);
/* A test whose outcome may be wanted as a value. begin_test says where to branch; after emit_branch
 * and the instruction's further words, finish_test does the rest. */
struct materialised {
  int yes, no, end;
};
struct target begin_test(struct generator *generator, struct materialised *test, struct target target);
void finish_test(struct generator *generator, struct materialised *test, struct target target,
                 struct target ways);
int new_label(struct generator *generator);
void bind_label(struct generator *generator, int label);
void take_registers(struct generator *generator, int count);

/* generate_forms.c */
void generate_if(struct generator *generator, struct node *node, struct target target);
void generate_or(struct generator *generator, struct node *node, struct target target);
void generate_let(struct generator *generator, struct node *node, struct target target);
void generate_letrec(struct generator *generator, struct node *node, struct target target);
void generate_closure(struct generator *generator, struct lambda *lambda, struct target target);
/* Register or 0x8000 | slot of a variable as closures carry it: boxes stay boxes. */
int carried(struct generator *generator, struct variable *variable);

/* generate_calls.c */
void generate_call(struct generator *generator, struct node *node, struct target target);
void generate_builtin(struct generator *generator, struct node *node, struct target target);
void generate_record(struct generator *generator, struct node *node, struct target target);
bool writes_at_end(const struct node *node);
bool mentions(const struct node *node, const struct variable *variable);

/* generate_primitives.c */
void generate_primitive(struct generator *generator, struct node *node, struct target target);

#endif
