/* The code generator: calls, jumps to labels, builtins, record procedures. */
#include "generate.h"

/* True if an expression's code writes its result's register only when it reads no variable any
 * more: then the result can go straight to a variable that the expression uses. */
bool writes_at_end(const struct node *node) {
  switch (node->kind) {
  case NODE_OR:
    return false;
  case NODE_IF:
    return writes_at_end(node->children[1]) && writes_at_end(node->children[2]);
  case NODE_SEQUENCE:
    return writes_at_end(node->children[node->count - 1]);
  case NODE_LET:
  case NODE_LETREC:
    for (int i = 0; i < node->count - 1; i++)
      if (node->children[i]->kind == NODE_LAMBDA && !writes_at_end(node->children[i]->u.lambda->body))
        return false;
    return writes_at_end(node->children[node->count - 1]);
  default:
    return true;
  }
}

bool mentions(const struct node *node, const struct variable *variable) {
  if ((node->kind == NODE_LOCAL || node->kind == NODE_SET_LOCAL) && node->u.variable == variable)
    return true;
  if (node->kind == NODE_LAMBDA)
    return mentions(node->u.lambda->body, variable);
  for (int i = 0; i < node->count; i++)
    if (mentions(node->children[i], variable))
      return true;
  return false;
}

/* ---- Jumps: all parameters change at once ----
 * An argument may go to its parameter's register as soon as no other argument still to be
 * evaluated reads it. When each is needed by another, one is put aside. */
struct moves {
  struct generator *generator;
  struct variable **parameters;
  struct node **arguments; /* NULL: done */
  int *aside;              /* register that holds the argument, or -1 */
  int count;
};

static bool is_needed(const struct moves *moves, int index) {
  for (int i = 0; i < moves->count; i++)
    if (i != index && moves->arguments[i] && mentions(moves->arguments[i], moves->parameters[index]))
      return true;
  return false;
}

static void move_argument(struct moves *moves, int index) {
  struct node *argument = moves->arguments[index];
  struct variable *parameter = moves->parameters[index];
  bool same = argument->kind == NODE_LOCAL && argument->u.variable == parameter && !is_boxed(parameter);
  if (!same && (writes_at_end(argument) || !mentions(argument, parameter))) {
    generate_into(moves->generator, argument, parameter->reg);
  } else if (!same) {
    int saved = moves->generator->depth;
    int reg = generate_push(moves->generator, argument);
    emit(moves->generator, OP_MOVE, parameter->reg, reg, 0, 0);
    moves->generator->depth = saved;
  }
  moves->arguments[index] = NULL;
}

static void move_all(struct moves *moves) {
  for (int left = moves->count; left > 0;) {
    bool progress = false;
    for (int i = 0; i < moves->count; i++) {
      if (!moves->arguments[i] || is_needed(moves, i))
        continue;
      move_argument(moves, i);
      left--;
      progress = true;
    }
    if (progress)
      continue;
    for (int i = 0; i < moves->count; i++) {
      if (!moves->arguments[i])
        continue;
      moves->aside[i] = generate_push(moves->generator, moves->arguments[i]);
      moves->arguments[i] = NULL;
      left--;
      break;
    }
  }
  for (int i = 0; i < moves->count; i++)
    if (moves->aside[i] >= 0)
      emit(moves->generator, OP_MOVE, moves->parameters[i]->reg, moves->aside[i], 0, 0);
}

static void generate_jump(struct generator *generator, struct lambda *lambda, struct node *node, int label) {
  int count = node->count - 1, saved = generator->depth;
  struct moves moves = {generator, lambda->parameters, NULL, NULL, count};
  moves.arguments = arena_take(generator->compiler, (size_t)(count + 1) * sizeof *moves.arguments);
  moves.aside = arena_take(generator->compiler, (size_t)(count + 1) * sizeof *moves.aside);
  for (int i = 0; i < count; i++) {
    moves.arguments[i] = node->children[i + 1];
    moves.aside[i] = -1;
  }
  move_all(&moves);
  generator->depth = saved;
  emit_jump(generator, label);
}

/* ---- Calls ---- */
static struct lambda *known_procedure(const struct node *node) {
  const struct node *procedure = node->children[0];
  if (procedure->kind != NODE_LOCAL || is_boxed(procedure->u.variable))
    return NULL;
  struct lambda *lambda = procedure->u.variable->lambda;
  return lambda && !lambda->rest && lambda->required == node->count - 1 ? lambda : NULL;
}

static void push_arguments(struct generator *generator, struct node *node) {
  for (int i = 1; i < node->count; i++)
    generate_push(generator, node->children[i]);
}

static void generate_tail_call(struct generator *generator, struct node *node) {
  struct node *procedure = node->children[0];
  struct lambda *known = known_procedure(node);
  if (known && generator->procedure == known && known->self == procedure->u.variable) {
    generate_jump(generator, known, node, generator->start);
    return;
  }
  int saved = generator->depth, from = saved, arguments = node->count - 1;
  if (procedure->kind == NODE_GLOBAL) {
    take_registers(generator, 1);
    push_arguments(generator, node);
    emit(generator, OP_TAIL_CALL_GLOBAL, from, arguments, 0, 0);
    emit_word(generator, (union word){.global = procedure->u.global});
  } else {
    generate_push(generator, procedure);
    push_arguments(generator, node);
    emit(generator, OP_TAIL_CALL, from, arguments, 0, 0);
  }
  generator->reachable = false;
  generator->depth = saved;
}

void generate_call(struct generator *generator, struct node *node, struct target target) {
  struct node *procedure = node->children[0];
  if (procedure->kind == NODE_LOCAL && procedure->u.variable->lambda &&
      procedure->u.variable->lambda->is_label) {
    generate_jump(generator, procedure->u.variable->lambda, node, procedure->u.variable->lambda->label);
    return;
  }
  if (target.mode == TARGET_TAIL) {
    generate_tail_call(generator, node);
    return;
  }
  int window = generator->depth, arguments = node->count - 1;
  take_registers(generator, LINKAGE);
  if (procedure->kind == NODE_GLOBAL) {
    take_registers(generator, 1);
    push_arguments(generator, node);
    emit(generator, OP_CALL_GLOBAL, window, arguments, 0, 0);
    emit_word(generator, (union word){.global = procedure->u.global});
  } else {
    bool known = known_procedure(node) != NULL;
    int place = known ? carried(generator, procedure->u.variable) : 0x8000;
    if (place & 0x8000) {
      place = generate_push(generator, procedure);
    } else {
      take_registers(generator, 1);
    }
    push_arguments(generator, node);
    emit(generator, known ? OP_CALL_KNOWN : OP_CALL, window, arguments, place, 0);
  }
  generator->depth = window;
  deliver(generator, window, target);
}

void generate_builtin(struct generator *generator, struct node *node, struct target target) {
  int from = generator->depth;
  for (int i = 0; i < node->count; i++)
    generate_push(generator, node->children[i]);
  generator->depth = from;
  int reg = result_register(generator, target);
  emit(generator, OP_BUILTIN, from, node->count, reg, 0);
  emit_word(generator, (union word){.builtin = node->u.builtin});
  deliver(generator, reg, target);
}

/* ---- Records ---- */
static void emit_type(struct generator *generator, const struct record_procedure *record) {
  emit_word(generator, (union word){.integer = assembler_constant(&generator->assembler, record->type)});
}

static void generate_constructor(struct generator *generator, struct node *node, struct target target) {
  const struct record_procedure *record = node->u.record;
  int from = generator->depth;
  for (int field = 0; field < record->field_count; field++) {
    if (record->arguments[field]) {
      generate_push(generator, node->children[record->arguments[field] - 1]);
    } else {
      emit_immediate(generator, generator->depth, FALSE_VALUE);
      take_registers(generator, 1);
    }
  }
  int depth = generator->depth;
  generator->depth = from;
  int reg = result_register(generator, target);
  emit(generator, OP_RECORD, reg, record->field_count, from, depth);
  emit_type(generator, record);
  deliver(generator, reg, target);
}

void generate_record(struct generator *generator, struct node *node, struct target target) {
  const struct record_procedure *record = node->u.record;
  int saved = generator->depth;
  if (record->kind == INLINE_CONSTRUCTOR) {
    generate_constructor(generator, node, target);
    return;
  }
  int object = generate_operand(generator, node->children[0]);
  if (record->kind == INLINE_MODIFIER) {
    int content = generate_operand(generator, node->children[1]);
    emit(generator, OP_RECORD_SET, object, content, record->field, 0);
    emit_type(generator, record);
    generator->depth = saved;
    deliver_immediate(generator, UNSPECIFIED, target);
    return;
  }
  generator->depth = saved;
  if (record->kind == INLINE_ACCESSOR) {
    int reg = result_register(generator, target);
    emit(generator, OP_RECORD_REF, reg, object, record->field, 0);
    emit_type(generator, record);
    deliver(generator, reg, target);
    return;
  }
  struct materialised test;
  struct target ways = begin_test(generator, &test, target);
  emit_branch(generator, OP_JUMP_RECORD, object, 0, ways);
  emit_type(generator, record);
  finish_test(generator, &test, target, ways);
}
