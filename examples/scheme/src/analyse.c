/* What the code generator must know about variables and lambda expressions:
 * 1. which lambda expressions are labels, to be jumped to;
 * 2. which variables live in which procedure's frame, which are captured by closures, and which
 *    of these need a box because they are assigned or seen before they are defined. */
#include <string.h>

#include "ast.h"

/* ---- 1. Labels ----
 * Every candidate is assumed to be a label until a use contradicts it: a reference that is no
 * call, a wrong number of arguments, or a call whose continuation is not that of the form that
 * binds it. A lambda expression that loses its label gets a continuation of its own, which can
 * contradict others; so the pass is repeated until nothing changes. Continuations are numbered:
 * an expression in tail position has its parent's number, any other a fresh one. */
static bool is_candidate(const struct variable *variable, const struct node *init) {
  return init->kind == NODE_LAMBDA && variable->lambda == init->u.lambda && init->u.lambda->is_label;
}

static void find_labels(struct compiler *compiler, struct node *node, int context);

static void refuse(struct compiler *compiler, struct lambda *lambda) {
  if (!lambda || !lambda->is_label)
    return;
  lambda->is_label = false;
  compiler->changed = true;
}

static void find_labels_in_all(struct compiler *compiler, struct node *node, int from, int to) {
  for (int i = from; i < to; i++)
    find_labels(compiler, node->children[i], ++compiler->context_count);
}

static void find_labels_in_bindings(struct compiler *compiler, struct node *node, int context) {
  int count = node->count - 1;
  for (int i = 0; i < count; i++)
    if (is_candidate(node->u.variables[i], node->children[i]))
      node->children[i]->u.lambda->context = context;
  for (int i = 0; i < count; i++) {
    if (is_candidate(node->u.variables[i], node->children[i]))
      find_labels(compiler, node->children[i]->u.lambda->body, context);
    else
      find_labels(compiler, node->children[i], ++compiler->context_count);
  }
  find_labels(compiler, node->children[count], context);
}

static void find_labels_in_call(struct compiler *compiler, struct node *node, int context) {
  struct node *procedure = node->children[0];
  if (procedure->kind != NODE_LOCAL) {
    find_labels_in_all(compiler, node, 0, node->count);
    return;
  }
  find_labels_in_all(compiler, node, 1, node->count);
  struct lambda *lambda = procedure->u.variable->lambda;
  if (lambda && lambda->is_label && (lambda->context != context || lambda->required != node->count - 1))
    refuse(compiler, lambda);
}

static void find_labels(struct compiler *compiler, struct node *node, int context) {
  switch (node->kind) {
  case NODE_LOCAL:
    refuse(compiler, node->u.variable->lambda);
    break;
  case NODE_IF:
    find_labels(compiler, node->children[0], ++compiler->context_count);
    find_labels(compiler, node->children[1], context);
    find_labels(compiler, node->children[2], context);
    break;
  case NODE_OR:
  case NODE_SEQUENCE:
    find_labels_in_all(compiler, node, 0, node->count - 1);
    find_labels(compiler, node->children[node->count - 1], context);
    break;
  case NODE_LAMBDA:
    find_labels(compiler, node->u.lambda->body, ++compiler->context_count);
    break;
  case NODE_CALL:
    find_labels_in_call(compiler, node, context);
    break;
  case NODE_LET:
  case NODE_LETREC:
    find_labels_in_bindings(compiler, node, context);
    break;
  default:
    find_labels_in_all(compiler, node, 0, node->count);
    break;
  }
}

/* First of all: which variables are bound to a lambda expression and to nothing else. */
static void find_candidates(struct node *node) {
  for (int i = 0; i < node->count; i++)
    find_candidates(node->children[i]);
  if (node->kind == NODE_LAMBDA) {
    find_candidates(node->u.lambda->body);
  } else if (node->kind == NODE_LET || node->kind == NODE_LETREC) {
    for (int i = 0; i < node->count - 1; i++) {
      struct variable *variable = node->u.variables[i];
      struct node *init = node->children[i];
      bool bound = init->kind == NODE_LAMBDA && !variable->assigned && variable->lambda == init->u.lambda;
      if (!bound) {
        variable->lambda = NULL;
        continue;
      }
      variable->lambda->is_label = !variable->lambda->rest;
      variable->lambda->self = variable;
    }
  }
}

/* ---- 2. Frames and captures ---- */
static bool captures(const struct lambda *lambda, const struct variable *variable) {
  for (int i = 0; i < lambda->capture_count; i++)
    if (lambda->captures[i] == variable)
      return true;
  return false;
}

static void add_capture(struct compiler *compiler, struct lambda *lambda, struct variable *variable) {
  if (captures(lambda, variable))
    return;
  if (lambda->capture_count == lambda->capture_capacity) {
    int capacity = lambda->capture_capacity ? lambda->capture_capacity * 2 : 4;
    struct variable **larger = arena_take(compiler, (size_t)capacity * sizeof *larger);
    if (lambda->capture_count)
      memcpy(larger, lambda->captures, (size_t)lambda->capture_count * sizeof *larger);
    lambda->captures = larger;
    lambda->capture_capacity = capacity;
  }
  lambda->captures[lambda->capture_count++] = variable;
}

/* A use of a variable in the code of procedure `here`: all closures between it and the
 * variable's frame carry it. A procedure finds itself in its register 0. */
static void use(struct compiler *compiler, struct variable *variable, struct lambda *here) {
  if (!variable->ready && !variable->boxed) {
    variable->boxed = true;
    /* What is carried from now on is the box, which register 0 cannot stand for. */
    if (variable->lambda)
      variable->lambda->self = NULL;
    compiler->changed = true;
  }
  for (struct lambda *lambda = here; lambda && lambda != variable->home && lambda->self != variable;
       lambda = lambda->parent) {
    add_capture(compiler, lambda, variable);
    variable->captured = true;
  }
}

static void find_captures(struct compiler *compiler, struct node *node, struct lambda *here);

/* The scope of some variables ends. If there was a call in it, a continuation may have been captured
 * there; when that is entered again it gets the frame as it was, but must see assignments that
 * were made since: variables are locations, and only a box is one that frames can share. */
static void end_scope(struct compiler *compiler, struct variable **variables, int count, int calls_before) {
  for (int i = 0; i < count; i++)
    if (compiler->call_count != calls_before)
      variables[i]->crosses_call = true;
}

/* The body of a lambda expression; `home` is the procedure in whose frame it runs. */
static void find_captures_in_body(struct compiler *compiler, struct lambda *lambda, struct lambda *home) {
  int parameters = lambda->required + lambda->rest, calls_before = compiler->call_count;
  for (int i = 0; i < parameters; i++) {
    lambda->parameters[i]->home = home;
    lambda->parameters[i]->ready = true;
  }
  find_captures(compiler, lambda->body, home);
  end_scope(compiler, lambda->parameters, parameters, calls_before);
}

static void find_captures_in_lambda(struct compiler *compiler, struct lambda *lambda, struct lambda *here) {
  int calls_before = compiler->call_count;
  lambda->parent = here;
  lambda->capture_count = 0;
  find_captures_in_body(compiler, lambda, lambda);
  compiler->call_count = calls_before; /* calls in its body are not calls here */
}

/* A variable of a letrec is ready when the value of it, and of the lambda expressions that stand
 * directly before it, has been computed. */
static void find_captures_in_bindings(struct compiler *compiler, struct node *node, struct lambda *here) {
  int count = node->count - 1, calls_before = compiler->call_count;
  for (int i = 0; i < count; i++) {
    node->u.variables[i]->home = here;
    node->u.variables[i]->ready =
        node->kind == NODE_LET || is_candidate(node->u.variables[i], node->children[i]);
  }
  for (int i = 0; i < count; i++) {
    for (int j = i; j < count && node->children[j]->kind == NODE_LAMBDA; j++)
      node->u.variables[j]->ready = true;
    if (!is_candidate(node->u.variables[i], node->children[i]))
      find_captures(compiler, node->children[i], here);
    node->u.variables[i]->ready = true;
  }
  for (int i = 0; i < count; i++) {
    if (!is_candidate(node->u.variables[i], node->children[i]))
      continue;
    find_captures_in_body(compiler, node->children[i]->u.lambda, here);
  }
  find_captures(compiler, node->children[count], here);
  end_scope(compiler, node->u.variables, count, calls_before);
}

static void find_captures(struct compiler *compiler, struct node *node, struct lambda *here) {
  switch (node->kind) {
  case NODE_LOCAL:
    use(compiler, node->u.variable, here);
    break;
  case NODE_SET_LOCAL:
    find_captures(compiler, node->children[0], here);
    use(compiler, node->u.variable, here);
    break;
  case NODE_LAMBDA:
    find_captures_in_lambda(compiler, node->u.lambda, here);
    break;
  case NODE_LET:
  case NODE_LETREC:
    find_captures_in_bindings(compiler, node, here);
    break;
  case NODE_CALL: {
    const struct node *procedure = node->children[0];
    const struct lambda *lambda = procedure->kind == NODE_LOCAL ? procedure->u.variable->lambda : NULL;
    bool jump = lambda && lambda->is_label;
    for (int i = jump; i < node->count; i++)
      find_captures(compiler, node->children[i], here);
    compiler->call_count += !jump;
    break;
  }
  default:
    for (int i = 0; i < node->count; i++)
      find_captures(compiler, node->children[i], here);
    break;
  }
}

void analyse(struct compiler *compiler, struct lambda *toplevel) {
  find_candidates(toplevel->body);
  do {
    compiler->changed = false;
    compiler->context_count = 0;
    find_labels(compiler, toplevel->body, 0);
  } while (compiler->changed);
  do {
    compiler->changed = false;
    compiler->call_count = 0;
    find_captures_in_body(compiler, toplevel, toplevel);
  } while (compiler->changed);
}
