/* Bodies with internal definitions, and define-record-type. */
#include "ast.h"
#include "heap.h"

/* ---- Bodies ----
 * (define ...) among the forms of a body makes it a letrec*; expressions between definitions keep
 * their place as values of variables without a name. */
struct body {
  struct compiler *compiler;
  struct scope *scope; /* the one that the definitions go into */
  int items;           /* bindings and expressions */
  int definitions;
};

/* First pass: what is defined, so that it shadows everywhere in the body. */
static void collect_definitions(struct body *body, value forms) {
  struct compiler *compiler = body->compiler;
  for (; is_pair(forms); forms = cdr(forms)) {
    value form = car(forms);
    enum keyword keyword = is_pair(form) ? keyword_of(compiler, car(form), body->scope) : NOT_A_KEYWORD;
    if (keyword == KEYWORD_BEGIN) {
      form_length(compiler, form);
      collect_definitions(body, cdr(form));
      continue;
    }
    body->items++;
    if (keyword == KEYWORD_DEFINE) {
      scope_add(compiler, body->scope, definition_name(compiler, form));
      body->definitions++;
    } else if (keyword == KEYWORD_DEFINE_RECORD_TYPE) {
      parse_record_definition(compiler, form, body->scope);
      body->definitions++;
    } else if (keyword == KEYWORD_DEFINE_VALUES) {
      if (form_length(compiler, form) != 3)
        syntax_error(compiler, "bad define-values", form);
      value rest = form_item(form, 1);
      for (; is_pair(rest); rest = cdr(rest)) {
        scope_add(compiler, body->scope, require_symbol(compiler, car(rest), form));
        body->items++;
      }
      if (rest != NIL) {
        scope_add(compiler, body->scope, require_symbol(compiler, rest, form));
        body->items++;
      }
      body->definitions++;
    }
  }
}

static void bind(struct node *letrec, struct variable *variable, struct node *init) {
  letrec->u.variables[letrec->count] = variable;
  letrec->children[letrec->count++] = init;
  if (init->kind == NODE_LAMBDA && !variable->lambda)
    variable->lambda = init->u.lambda;
}

/* The variables are bound to nothing yet, then set by a consumer of the values. */
static void bind_values(struct body *body, struct node *letrec, value form) {
  struct compiler *compiler = body->compiler;
  struct node *producer = new_thunk(compiler, parse(compiler, form_item(form, 2), body->scope));
  int count = 0;
  value formals = form_item(form, 1), rest;
  for (rest = formals; is_pair(rest); rest = cdr(rest))
    count++;
  int required = count;
  if (rest != NIL)
    count++;
  struct lambda *consumer = new_lambda(compiler, count);
  consumer->required = required;
  consumer->rest = rest != NIL;
  struct node *assignments = new_node(compiler, NODE_SEQUENCE, count + 1);
  rest = formals;
  for (int i = 0; i < count; i++) {
    value symbol = is_pair(rest) ? car(rest) : rest;
    struct variable *variable = lookup(body->scope, symbol);
    bind(letrec, variable, new_immediate(compiler, UNSPECIFIED));
    variable->assigned = true;
    consumer->parameters[i] = new_variable(compiler, symbol);
    struct node *set = new_node(compiler, NODE_SET_LOCAL, 1);
    set->u.variable = variable;
    set->children[0] = new_local(compiler, consumer->parameters[i]);
    assignments->children[i] = set;
    if (is_pair(rest))
      rest = cdr(rest);
  }
  assignments->children[count] = new_immediate(compiler, UNSPECIFIED);
  consumer->body = assignments;
  struct node *receiver = new_node(compiler, NODE_LAMBDA, 0);
  receiver->u.lambda = consumer;
  bind(letrec, new_variable(compiler, FALSE_VALUE),
       new_global_call(compiler, "%call-with-values", (struct node *[]){producer, receiver}, 2));
}

/* Second pass. *last is the expression after the last definition so far, which may be the body's
 * result. */
static void parse_definitions(struct body *body, struct node *letrec, value forms, struct node **last) {
  struct compiler *compiler = body->compiler;
  for (; is_pair(forms); forms = cdr(forms)) {
    value form = car(forms);
    enum keyword keyword = is_pair(form) ? keyword_of(compiler, car(form), body->scope) : NOT_A_KEYWORD;
    if (keyword == KEYWORD_BEGIN) {
      parse_definitions(body, letrec, cdr(form), last);
      continue;
    }
    if (*last)
      bind(letrec, new_variable(compiler, FALSE_VALUE), *last);
    *last = NULL;
    if (keyword == KEYWORD_DEFINE) {
      struct variable *variable = lookup(body->scope, definition_name(compiler, form));
      bind(letrec, variable, definition_value(compiler, form, body->scope));
    } else if (keyword == KEYWORD_DEFINE_VALUES) {
      bind_values(body, letrec, form);
    } else if (keyword != KEYWORD_DEFINE_RECORD_TYPE) {
      *last = parse(compiler, form, body->scope);
    }
  }
}

struct node *parse_body(struct compiler *compiler, value forms, struct scope *scope) {
  form_length(compiler, forms);
  struct scope inner = {.parent = scope};
  struct body body = {compiler, &inner, 0, 0};
  collect_definitions(&body, forms);
  if (body.definitions == 0)
    return parse_sequence(compiler, forms, scope);
  struct node *letrec = new_node(compiler, NODE_LETREC, body.items + 1);
  letrec->u.variables = arena_take(compiler, (size_t)body.items * sizeof *letrec->u.variables);
  letrec->count = 0;
  struct node *last = NULL;
  parse_definitions(&body, letrec, forms, &last);
  letrec->children[letrec->count++] = last ? last : new_immediate(compiler, UNSPECIFIED);
  return letrec;
}

/* ---- define-record-type ----
 * The type is an object made once, when the form is compiled (after parsing, since nothing may be
 * allocated now). Its procedures are known to the compiler, which turns calls of them into
 * instructions; only where one is used as a value is there a closure. */
static int field_index(struct compiler *compiler, value fields, value name, value form) {
  int index = 0;
  for (value rest = fields; is_pair(rest); rest = cdr(rest), index++)
    if ((is_pair(car(rest)) ? car(car(rest)) : car(rest)) == name)
      return index;
  syntax_error(compiler, "no such field", form);
}

static struct record_procedure *add_procedure(struct compiler *compiler, struct record_definition *definition,
                                              enum inline_kind kind, value name, struct scope *scope) {
  struct record_procedure *procedure = arena_take(compiler, sizeof *procedure);
  procedure->kind = kind;
  procedure->type = definition->type;
  procedure->name = pool(compiler, name);
  procedure->field_count = definition->field_count;
  procedure->argument_count = kind == INLINE_MODIFIER ? 2 : 1;
  procedure->next = compiler->record_procedures;
  compiler->record_procedures = procedure;
  if (scope)
    scope_add(compiler, scope, name)->record = procedure;
  return procedure;
}

static void add_constructor(struct compiler *compiler, struct record_definition *definition, value form,
                            struct scope *scope) {
  value specification = form_item(form, 2), fields = cdr(cdr(cdr(cdr(form))));
  if (specification == FALSE_VALUE)
    return;
  bool all = !is_pair(specification);
  value name = require_symbol(compiler, all ? specification : car(specification), form);
  struct record_procedure *procedure = add_procedure(compiler, definition, INLINE_CONSTRUCTOR, name, scope);
  procedure->arguments = arena_take(compiler, (size_t)definition->field_count * sizeof *procedure->arguments);
  procedure->argument_count = all ? definition->field_count : form_length(compiler, specification) - 1;
  if (all) {
    for (int i = 0; i < definition->field_count; i++)
      procedure->arguments[i] = i + 1;
    return;
  }
  int argument = 1;
  for (value rest = cdr(specification); is_pair(rest); rest = cdr(rest), argument++)
    procedure->arguments[field_index(compiler, fields, car(rest), form)] = argument;
}

void parse_record_definition(struct compiler *compiler, value form, struct scope *scope) {
  if (form_length(compiler, form) < 4)
    syntax_error(compiler, "bad define-record-type", form);
  value name = form_item(form, 1), fields = cdr(cdr(cdr(cdr(form))));
  if (is_pair(name))
    name = car(name);
  struct record_definition *definition = arena_take(compiler, sizeof *definition);
  definition->name = pool(compiler, require_symbol(compiler, name, form));
  definition->fields = pool(compiler, fields);
  definition->type = pool(compiler, FALSE_VALUE);
  definition->field_count = form_length(compiler, fields);
  definition->next = compiler->records;
  compiler->records = definition;
  add_constructor(compiler, definition, form, scope);
  if (form_item(form, 3) != FALSE_VALUE)
    add_procedure(compiler, definition, INLINE_PREDICATE, require_symbol(compiler, form_item(form, 3), form),
                  scope);
  int index = 0;
  for (value rest = fields; is_pair(rest); rest = cdr(rest), index++) {
    if (!is_pair(car(rest)))
      continue;
    int length = form_length(compiler, car(rest));
    if (length > 1)
      add_procedure(compiler, definition, INLINE_ACCESSOR,
                    require_symbol(compiler, form_item(car(rest), 1), form), scope)
          ->field = index;
    if (length > 2)
      add_procedure(compiler, definition, INLINE_MODIFIER,
                    require_symbol(compiler, form_item(car(rest), 2), form), scope)
          ->field = index;
  }
}

/* At top level each procedure is the value of a global, and later forms may use it inline. */
struct node *parse_record_globals(struct compiler *compiler) {
  int count = 0;
  for (struct record_procedure *p = compiler->record_procedures; p; p = p->next)
    count += !p->procedure;
  struct node *sequence = new_node(compiler, NODE_SEQUENCE, count + 1);
  int i = 0;
  for (struct record_procedure *p = compiler->record_procedures; p; p = p->next) {
    if (p->procedure)
      continue; /* of another form in the same (begin ...) */
    p->procedure = pool(compiler, FALSE_VALUE);
    struct node *node = new_node(compiler, NODE_DEFINE, 1);
    value name = compiler->vm->temporaries.items[p->name];
    struct global *global = global_of(compiler->vm, name);
    if (!global)
      compile_out_of_memory(compiler);
    bool redefined = global->content != UNDEFINED;
    global_forget_builtin(global);
    if (!redefined)
      global->inlined = make_fixnum(p->kind);
    symbol_of(name)->keyword = NOT_A_KEYWORD;
    node->u.global = global;
    node->children[0] = new_node(compiler, NODE_CONSTANT, 0);
    node->children[0]->u.constant = p->procedure;
    sequence->children[i++] = node;
  }
  sequence->children[i] = new_immediate(compiler, UNSPECIFIED);
  return sequence;
}
