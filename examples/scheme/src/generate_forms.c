/* The code generator: conditionals, bindings, closures. */
#include "generate.h"

#include "heap.h"

/* The part of a form that is not followed by where its target continues. */
static struct target not_last(struct target target) {
  target.next = -1;
  return target;
}

static bool joins(struct target target) {
  return target.mode == TARGET_VALUE || target.mode == TARGET_EFFECT;
}

void generate_if(struct generator *generator, struct node *node, struct target target) {
  int yes = new_label(generator), no = new_label(generator), end = new_label(generator);
  generate_node(generator, node->children[0],
                (struct target){.mode = TARGET_TEST, .yes = yes, .no = no, .next = yes});
  bind_label(generator, yes);
  generate_node(generator, node->children[1], not_last(target));
  if (joins(target))
    emit_jump(generator, end);
  generator->reachable = false;
  bind_label(generator, no);
  generate_node(generator, node->children[2], target);
  if (joins(target))
    bind_label(generator, end);
}

static void generate_or_test(struct generator *generator, struct node *node, struct target target) {
  int second = new_label(generator);
  generate_node(generator, node->children[0],
                (struct target){.mode = TARGET_TEST, .yes = target.yes, .no = second, .next = second});
  bind_label(generator, second);
  generate_node(generator, node->children[1], target);
}

void generate_or(struct generator *generator, struct node *node, struct target target) {
  if (target.mode == TARGET_TEST) {
    generate_or_test(generator, node, target);
    return;
  }
  int end = new_label(generator), second = new_label(generator);
  int reg = result_register(generator, target);
  if (target.mode == TARGET_EFFECT) {
    generate_node(generator, node->children[0],
                  (struct target){.mode = TARGET_TEST, .yes = end, .no = second, .next = second});
    bind_label(generator, second);
    generate_node(generator, node->children[1], target);
    bind_label(generator, end);
    return;
  }
  generate_into(generator, node->children[0], reg);
  int found = new_label(generator);
  deliver(generator, reg, (struct target){.mode = TARGET_TEST, .yes = found, .no = second, .next = found});
  bind_label(generator, found);
  if (target.mode == TARGET_TAIL)
    deliver(generator, reg, target);
  else
    emit_jump(generator, end);
  generator->reachable = false;
  bind_label(generator, second);
  generate_node(generator, node->children[1], target);
  if (target.mode == TARGET_VALUE)
    bind_label(generator, end);
}

/* ---- Bindings ---- */
static bool is_label_binding(const struct node *node, int i) {
  return node->children[i]->kind == NODE_LAMBDA &&
         node->u.variables[i]->lambda == node->children[i]->u.lambda && node->children[i]->u.lambda->is_label;
}

/* Registers for the parameters of the labels that a form binds. */
static int prepare_labels(struct generator *generator, struct node *node) {
  int labels = 0;
  for (int i = 0; i < node->count - 1; i++) {
    if (!is_label_binding(node, i))
      continue;
    struct lambda *lambda = node->children[i]->u.lambda;
    lambda->label = new_label(generator);
    for (int p = 0; p < lambda->required; p++) {
      lambda->parameters[p]->reg = generator->depth;
      take_registers(generator, 1);
    }
    labels++;
  }
  return labels;
}

static void generate_label(struct generator *generator, struct lambda *lambda, struct target target) {
  generator->reachable = true;
  bind_label(generator, lambda->label);
  for (int p = 0; p < lambda->required; p++) {
    struct variable *parameter = lambda->parameters[p];
    if (is_boxed(parameter))
      emit(generator, OP_BOX, parameter->reg, parameter->reg, 0, generator->depth);
  }
  generate_node(generator, lambda->body, target);
}

/* The body of a binding form, then the code of its labels; they all continue at the same place. */
static void generate_bound_body(struct generator *generator, struct node *node, struct target target) {
  struct node *body = node->children[node->count - 1];
  int labels = prepare_labels(generator, node);
  if (labels == 0) {
    generate_node(generator, body, target);
    return;
  }
  int end = new_label(generator);
  generate_node(generator, body, not_last(target));
  for (int i = 0; i < node->count - 1; i++) {
    if (!is_label_binding(node, i))
      continue;
    if (joins(target))
      emit_jump(generator, end);
    generate_label(generator, node->children[i]->u.lambda, --labels ? not_last(target) : target);
  }
  if (joins(target))
    bind_label(generator, end);
}

/* A value that goes to the next free register would be written while variables of the form, which
 * want that register too, are still read. */
static void protect_result(struct generator *generator, struct target target) {
  if (target.mode == TARGET_VALUE && target.reg >= generator->depth)
    take_registers(generator, target.reg + 1 - generator->depth);
}

void generate_let(struct generator *generator, struct node *node, struct target target) {
  int saved = generator->depth;
  protect_result(generator, target);
  for (int i = 0; i < node->count - 1; i++) {
    if (is_label_binding(node, i))
      continue;
    struct variable *variable = node->u.variables[i];
    variable->reg = generate_push(generator, node->children[i]);
    if (is_boxed(variable))
      emit(generator, OP_BOX, variable->reg, variable->reg, 0, generator->depth);
  }
  generate_bound_body(generator, node, target);
  generator->depth = saved;
}

/* A closure made before its sibling carries nothing for it yet. */
static void patch_siblings(struct generator *generator, struct node *node, int made) {
  struct variable *variable = node->u.variables[made];
  if (is_boxed(variable))
    return;
  for (int i = 0; i < made; i++) {
    if (node->children[i]->kind != NODE_LAMBDA || is_label_binding(node, i))
      continue;
    const struct lambda *lambda = node->children[i]->u.lambda;
    for (int slot = 0; slot < lambda->capture_count; slot++) {
      if (lambda->captures[slot] != variable)
        continue;
      int reg = node->u.variables[i]->reg;
      if (is_boxed(node->u.variables[i])) {
        reg = result_register(generator, (struct target){.mode = TARGET_TAIL});
        emit(generator, OP_UNBOX, reg, node->u.variables[i]->reg, 0, 0);
      }
      emit(generator, OP_CLOSURE_SET, reg, slot, variable->reg, 0);
    }
  }
}

void generate_letrec(struct generator *generator, struct node *node, struct target target) {
  int saved = generator->depth;
  protect_result(generator, target);
  for (int i = 0; i < node->count - 1; i++) {
    if (is_label_binding(node, i))
      continue;
    struct variable *variable = node->u.variables[i];
    variable->reg = generator->depth;
    take_registers(generator, 1);
    if (!is_boxed(variable))
      continue;
    emit_immediate(generator, variable->reg, UNDEFINED);
    emit(generator, OP_BOX, variable->reg, variable->reg, 0, generator->depth);
  }
  for (int i = 0; i < node->count - 1; i++) {
    if (is_label_binding(node, i))
      continue;
    struct variable *variable = node->u.variables[i];
    if (is_boxed(variable)) {
      int depth = generator->depth;
      int reg = generate_operand(generator, node->children[i]);
      emit(generator, OP_SET_BOX, variable->reg, reg, 0, 0);
      generator->depth = depth;
    } else {
      generate_into(generator, node->children[i], variable->reg);
    }
    if (node->children[i]->kind == NODE_LAMBDA)
      patch_siblings(generator, node, i);
  }
  generate_bound_body(generator, node, target);
  generator->depth = saved;
}

/* ---- Closures ---- */
static void emit_captures(struct generator *generator, const struct lambda *lambda) {
  for (int i = 0; i < lambda->capture_count; i += 4) {
    union word word = {.integer = 0};
    for (int j = i; j < lambda->capture_count && j < i + 4; j++)
      word.captures[j - i] = (uint16_t)carried(generator, lambda->captures[j]);
    emit_word(generator, word);
  }
}

/* A closure that captures nothing is made once, now. */
static pooled constant_closure(struct compiler *compiler, pooled code) {
  value closure = make_closure(compiler->vm, compiler->vm->temporaries.items[code], 0);
  if (closure == FAIL)
    compile_out_of_memory(compiler);
  return pool(compiler, closure);
}

void generate_closure(struct generator *generator, struct lambda *lambda, struct target target) {
  if (target.mode == TARGET_EFFECT || !generator->reachable)
    return;
  struct compiler *compiler = generator->compiler;
  value made = generate(compiler, lambda);
  if (made == FAIL)
    compile_out_of_memory(compiler);
  pooled code = pool(compiler, made);
  int reg = result_register(generator, target);
  if (lambda->capture_count == 0) {
    pooled closure = constant_closure(compiler, code);
    emit(generator, OP_CONSTANT, reg, 0, 0, 0);
    emit_word(generator, (union word){.integer = assembler_constant(&generator->assembler, closure)});
  } else {
    emit(generator, OP_CLOSURE, reg, lambda->capture_count, generator->depth, 0);
    emit_word(generator, (union word){.integer = assembler_constant(&generator->assembler, code)});
    emit_captures(generator, lambda);
  }
  deliver(generator, reg, target);
}
