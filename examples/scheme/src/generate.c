/* The code generator: one procedure at a time, from tree to register bytecode.
 *
 * Registers are used as a stack: variables and temporaries above those that enclose them. So the
 * registers below `depth` are what a procedure holds at any point, and that number is all that an
 * instruction must tell the heap. */
#include "generate.h"

#include "heap.h"

size_t emit(struct generator *generator, enum opcode opcode, int a, int b, int c, int d) {
  if (!generator->reachable)
    return 0;
  return assembler_emit(&generator->assembler, opcode, (unsigned)a, (unsigned)b, (unsigned)c, (unsigned)d);
}

void emit_word(struct generator *generator, union word word) {
  if (generator->reachable)
    assembler_word(&generator->assembler, word);
}

void emit_immediate(struct generator *generator, int reg, value v) {
  emit(generator, OP_IMMEDIATE, reg, 0, 0, 0);
  emit_word(generator, (union word){.constant = v});
}

void emit_jump(struct generator *generator, int label) {
  if (!generator->reachable)
    return;
  assembler_jump(&generator->assembler, OP_JUMP, 0, 0, label);
  generator->reachable = false;
}

/* A test and its two ways out, one of which may be what comes next. pre: opcode's negation is
 * opcode + 1. */
void emit_branch(struct generator *generator, enum opcode opcode, int a, int b, struct target target) {
  if (!generator->reachable)
    return;
  if (target.next == target.yes)
    assembler_jump(&generator->assembler, opcode + 1, (unsigned)a, (unsigned)b, target.no);
  else
    assembler_jump(&generator->assembler, opcode, (unsigned)a, (unsigned)b, target.yes);
}

struct target begin_test(struct generator *generator, struct materialised *test, struct target target) {
  if (target.mode == TARGET_TEST)
    return target;
  test->yes = new_label(generator);
  test->no = new_label(generator);
  test->end = new_label(generator);
  return (struct target){.mode = TARGET_TEST, .yes = test->yes, .no = test->no, .next = test->yes};
}

void finish_test(struct generator *generator, struct materialised *test, struct target target,
                 struct target ways) {
  if (ways.next != ways.yes && ways.next != ways.no)
    emit_jump(generator, ways.no);
  if (target.mode == TARGET_TEST)
    return;
  bind_label(generator, test->yes);
  deliver_immediate(generator, TRUE_VALUE, target);
  if (target.mode != TARGET_TAIL)
    emit_jump(generator, test->end);
  generator->reachable = false;
  bind_label(generator, test->no);
  deliver_immediate(generator, FALSE_VALUE, target);
  if (target.mode != TARGET_TAIL)
    bind_label(generator, test->end);
}

int new_label(struct generator *generator) { return assembler_label(&generator->assembler); }

void bind_label(struct generator *generator, int label) {
  if (!generator->reachable && !assembler_label_used(&generator->assembler, label))
    return;
  assembler_bind(&generator->assembler, label);
  generator->reachable = true;
}

void take_registers(struct generator *generator, int count) {
  generator->depth += count;
  if (generator->depth > generator->maximum)
    generator->maximum = generator->depth;
  if (generator->depth >= 0x7f00)
    syntax_error(generator->compiler, "the procedure is too large", FALSE_VALUE);
}

int result_register(struct generator *generator, struct target target) {
  if (target.mode == TARGET_VALUE)
    return target.reg;
  if (generator->depth + 1 > generator->maximum)
    generator->maximum = generator->depth + 1;
  return generator->depth;
}

void deliver(struct generator *generator, int reg, struct target target) {
  switch (target.mode) {
  case TARGET_VALUE:
    if (reg != target.reg)
      emit(generator, OP_MOVE, target.reg, reg, 0, 0);
    break;
  case TARGET_EFFECT:
    break;
  case TARGET_TAIL:
    emit(generator, OP_RETURN, reg, 0, 0, 0);
    generator->reachable = false;
    break;
  case TARGET_TEST:
    if (!generator->reachable)
      break;
    if (target.next == target.yes) {
      assembler_jump(&generator->assembler, OP_JUMP_FALSE, (unsigned)reg, 0, target.no);
    } else {
      assembler_jump(&generator->assembler, OP_JUMP_TRUE, (unsigned)reg, 0, target.yes);
      if (target.next != target.no)
        emit_jump(generator, target.no);
    }
    break;
  }
}

void deliver_immediate(struct generator *generator, value v, struct target target) {
  switch (target.mode) {
  case TARGET_VALUE:
    emit_immediate(generator, target.reg, v);
    break;
  case TARGET_EFFECT:
    break;
  case TARGET_TAIL:
    emit(generator, OP_RETURN_IMMEDIATE, 0, 0, 0, 0);
    emit_word(generator, (union word){.constant = v});
    generator->reachable = false;
    break;
  case TARGET_TEST: {
    int label = v == FALSE_VALUE ? target.no : target.yes;
    if (label != target.next)
      emit_jump(generator, label);
    break;
  }
  }
}

void generate_into(struct generator *generator, struct node *node, int reg) {
  generate_node(generator, node, (struct target){.mode = TARGET_VALUE, .reg = reg});
}

int generate_push(struct generator *generator, struct node *node) {
  int reg = generator->depth;
  generate_into(generator, node, reg);
  take_registers(generator, 1);
  return reg;
}

/* A variable's register can be an operand as it is. That it is read late, when an operand to its
 * right has been evaluated, is just another of the orders that Scheme leaves open. */
int generate_operand(struct generator *generator, struct node *node) {
  if (node->kind == NODE_LOCAL) {
    const struct variable *variable = node->u.variable;
    if (variable->home == generator->procedure && !is_boxed(variable))
      return variable->reg;
    if (variable->home != generator->procedure && generator->procedure->self == variable)
      return 0;
  }
  return generate_push(generator, node);
}

/* ---- Variables ---- */
int carried(struct generator *generator, struct variable *variable) {
  struct lambda *procedure = generator->procedure;
  if (variable->home == procedure)
    return variable->reg;
  if (procedure->self == variable)
    return 0;
  for (int i = 0; i < procedure->capture_count; i++)
    if (procedure->captures[i] == variable)
      return 0x8000 | i;
  syntax_error(generator->compiler, "internal error: a variable was not captured", FALSE_VALUE);
}

static void generate_local(struct generator *generator, struct variable *variable, struct target target) {
  if (target.mode == TARGET_EFFECT && !is_boxed(variable))
    return;
  int place = carried(generator, variable);
  int slot = place & 0x7fff;
  if (!(place & 0x8000) && !is_boxed(variable)) {
    deliver(generator, place, target);
    return;
  }
  int reg = result_register(generator, target);
  if (!(place & 0x8000))
    emit(generator, OP_UNBOX, reg, place, 0, 0);
  else
    emit(generator, is_boxed(variable) ? OP_UNBOX_CAPTURED : OP_CAPTURED, reg, slot, 0, 0);
  deliver(generator, reg, target);
}

static void generate_set_local(struct generator *generator, struct node *node, struct target target) {
  struct variable *variable = node->u.variable;
  int saved = generator->depth;
  int place = carried(generator, variable);
  struct node *init = node->children[0];
  if (place & 0x8000) {
    emit(generator, OP_SET_BOX_CAPTURED, place & 0x7fff, generate_operand(generator, init), 0, 0);
  } else if (is_boxed(variable)) {
    int reg = generate_operand(generator, init);
    emit(generator, OP_SET_BOX, place, reg, 0, 0);
  } else if (writes_at_end(init)) {
    generate_into(generator, init, place);
  } else {
    int reg = generate_push(generator, init);
    emit(generator, OP_MOVE, place, reg, 0, 0);
  }
  generator->depth = saved;
  deliver_immediate(generator, UNSPECIFIED, target);
}

static void generate_global(struct generator *generator, struct node *node, struct target target) {
  int reg = result_register(generator, target);
  emit(generator, OP_GLOBAL, reg, 0, 0, 0);
  emit_word(generator, (union word){.global = node->u.global});
  deliver(generator, reg, target);
}

static void generate_set_global(struct generator *generator, struct node *node, struct target target) {
  int saved = generator->depth;
  int reg = generate_operand(generator, node->children[0]);
  emit(generator, node->kind == NODE_DEFINE ? OP_DEFINE_GLOBAL : OP_SET_GLOBAL, reg, 0, 0, 0);
  emit_word(generator, (union word){.global = node->u.global});
  generator->depth = saved;
  deliver_immediate(generator, UNSPECIFIED, target);
}

static void generate_constant(struct generator *generator, pooled constant, struct target target) {
  if (target.mode == TARGET_EFFECT)
    return;
  int reg = result_register(generator, target);
  emit(generator, OP_CONSTANT, reg, 0, 0, 0);
  emit_word(generator, (union word){.integer = assembler_constant(&generator->assembler, constant)});
  deliver(generator, reg, target);
}

static void generate_sequence(struct generator *generator, struct node *node, struct target target) {
  for (int i = 0; i < node->count - 1; i++)
    generate_node(generator, node->children[i], (struct target){.mode = TARGET_EFFECT});
  generate_node(generator, node->children[node->count - 1], target);
}

void generate_node(struct generator *generator, struct node *node, struct target target) {
  switch (node->kind) {
  case NODE_IMMEDIATE:
    deliver_immediate(generator, node->u.immediate, target);
    break;
  case NODE_CONSTANT:
    generate_constant(generator, node->u.constant, target);
    break;
  case NODE_LOCAL:
    generate_local(generator, node->u.variable, target);
    break;
  case NODE_GLOBAL:
    generate_global(generator, node, target);
    break;
  case NODE_SET_LOCAL:
    generate_set_local(generator, node, target);
    break;
  case NODE_SET_GLOBAL:
  case NODE_DEFINE:
    generate_set_global(generator, node, target);
    break;
  case NODE_IF:
    generate_if(generator, node, target);
    break;
  case NODE_OR:
    generate_or(generator, node, target);
    break;
  case NODE_SEQUENCE:
    generate_sequence(generator, node, target);
    break;
  case NODE_LAMBDA:
    generate_closure(generator, node->u.lambda, target);
    break;
  case NODE_CALL:
    generate_call(generator, node, target);
    break;
  case NODE_LET:
    generate_let(generator, node, target);
    break;
  case NODE_LETREC:
    generate_letrec(generator, node, target);
    break;
  case NODE_PRIMITIVE:
    generate_primitive(generator, node, target);
    break;
  case NODE_BUILTIN:
    generate_builtin(generator, node, target);
    break;
  case NODE_RECORD:
    generate_record(generator, node, target);
    break;
  }
}

/* ---- Procedures ---- */
enum { LARGE_FRAME = 200 /* registers; well below the slack above the stack's soft limit */ };

static void generate_entry(struct generator *generator) {
  struct lambda *lambda = generator->procedure;
  int parameters = lambda->required + lambda->rest;
  for (int i = 0; i < parameters; i++)
    lambda->parameters[i]->reg = i + 1;
  take_registers(generator, parameters + 1);
  generator->start = new_label(generator);
  bind_label(generator, generator->start);
  for (int i = 0; i < parameters; i++)
    if (is_boxed(lambda->parameters[i]))
      emit(generator, OP_BOX, i + 1, i + 1, 0, generator->depth);
}

/* The generator is in the arena, and known to the compiler, so that a failure can free what it has. */
value generate(struct compiler *compiler, struct lambda *lambda) {
  struct vm *vm = compiler->vm;
  struct generator *generator = arena_take(compiler, sizeof *generator);
  *generator = (struct generator){.compiler = compiler, .procedure = lambda, .reachable = true};
  assembler_open(&generator->assembler);
  generator->enclosing = compiler->generators;
  compiler->generators = generator;
  emit(generator, OP_ENTER_LARGE, 0, 0, 0, 0);
  generate_entry(generator);
  generate_node(generator, lambda->body, (struct target){.mode = TARGET_TAIL});
  assembler_set_frame(&generator->assembler, generator->maximum, LARGE_FRAME);
  int64_t arity = lambda->rest ? ARITY_REST(lambda->required) : lambda->required;
  value name = vm->temporaries.items[lambda->name];
  value code = assembler_finish(vm, &generator->assembler, name, arity, generator->maximum);
  compiler->generators = generator->enclosing;
  assembler_close(&generator->assembler);
  return code;
}

void generate_abandon(struct compiler *compiler) {
  for (struct generator *generator = compiler->generators; generator; generator = generator->enclosing)
    assembler_close(&generator->assembler);
  compiler->generators = NULL;
}
