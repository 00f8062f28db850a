/* The compiler's entry: one top-level form at a time. */
#include "compiler.h"

#include "ast.h"
#include "errors.h"
#include "heap.h"

/* ---- Record types: made between parsing, which may not allocate, and code generation ---- */
static value field_names(struct vm *vm, pooled fields) {
  value names = NIL, rest = vm->temporaries.items[fields];
  SCHEME_FRAME(vm, names, rest);
  int64_t count = 0;
  for (; is_pair(rest); rest = cdr(rest), count++) {
    value pair = make_pair(vm, is_pair(car(rest)) ? car(car(rest)) : car(rest), names);
    if (pair == FAIL) {
      names = FAIL;
      break;
    }
    names = pair;
  }
  SCHEME_END(vm);
  return names; /* the last field first: only the printer looks at them */
}

static void make_record_types(struct compiler *compiler) {
  struct vm *vm = compiler->vm;
  for (struct record_definition *d = compiler->records; d; d = d->next) {
    value names = field_names(vm, d->fields);
    value type =
        names == FAIL ? FAIL : make_record_type(vm, vm->temporaries.items[d->name], names, d->field_count);
    if (type == FAIL)
      compile_out_of_memory(compiler);
    vm->temporaries.items[d->type] = type;
  }
}

static value constructor_detail(struct vm *vm, const struct record_procedure *procedure) {
  value detail = make_vector(vm, procedure->field_count + 1, make_fixnum(0));
  if (detail == FAIL)
    return FAIL;
  vector_of(detail)->items[0] = make_fixnum(procedure->argument_count);
  for (int i = 0; i < procedure->field_count; i++)
    vector_of(detail)->items[i + 1] = make_fixnum(procedure->arguments[i]);
  return detail;
}

static void make_record_procedures(struct compiler *compiler) {
  struct vm *vm = compiler->vm;
  for (struct record_procedure *p = compiler->record_procedures; p; p = p->next) {
    if (!p->procedure)
      continue; /* only called */
    value detail = p->kind == INLINE_CONSTRUCTOR ? constructor_detail(vm, p) : make_fixnum(p->field);
    value procedure =
        detail == FAIL ? FAIL : make_record_procedure(vm, p->kind, vm->temporaries.items[p->type], detail);
    if (procedure == FAIL)
      compile_out_of_memory(compiler);
    vm->temporaries.items[p->procedure] = procedure;
  }
}

static value compile_form(struct compiler *compiler, value form) {
  struct vm *vm = compiler->vm;
  pool(compiler, form); /* keeps the form's constants alive; and index 0 is never a procedure's */
  struct lambda *toplevel = new_lambda(compiler, 0);
  vm->temporaries.items[toplevel->name] = NIL;
  toplevel->body = parse_toplevel(compiler, form);
  make_record_types(compiler);
  make_record_procedures(compiler);
  analyse(compiler, toplevel);
  value code = generate(compiler, toplevel);
  return code == FAIL ? FAIL : make_closure(vm, code, 0);
}

value compile_toplevel(struct vm *vm, value form) {
  struct compiler *compiler = &(struct compiler){.vm = vm};
  size_t temporaries = vm->temporaries.count;
  midden_mark mark = midden_mark_save(vm->mutator);
  value result;
  if (setjmp(compiler->failure) == 0) {
    result = compile_form(compiler, form);
  } else {
    midden_mark_restore(vm->mutator, mark);
    generate_abandon(compiler);
    result = FAIL;
    if (compiler->message) {
      bool none = compiler->culprit == FALSE_VALUE;
      raise_error(vm, CONDITION_SYNTAX, compiler->message, none ? 0 : 1, &compiler->culprit);
    }
  }
  vm->temporaries.count = temporaries;
  arena_close(compiler);
  return result;
}

/* ---- Announcing definitions ---- */
static void announce_name(struct vm *vm, value target) {
  while (is_pair(target))
    target = car(target);
  if (!is_symbol(vm, target) || !symbol_of(target)->global)
    return;
  global_forget_builtin(symbol_of(target)->global);
}

static enum keyword head_keyword(const struct vm *vm, value form) {
  if (!is_pair(form) || !is_symbol(vm, car(form)) || !is_pair(cdr(form)))
    return NOT_A_KEYWORD;
  return (enum keyword)symbol_of(car(form))->keyword;
}

/* Assignments may be anywhere: all pairs of the form are looked at, with a stack of our own. */
static void announce_assignments(struct vm *vm, value form) {
  struct value_stack *stack = &vm->temporaries;
  size_t base = stack->count;
  if (!value_stack_push(stack, form))
    return;
  while (stack->count > base) {
    value datum = stack->items[--stack->count];
    for (; is_pair(datum); datum = cdr(datum)) {
      if (head_keyword(vm, datum) == KEYWORD_SET)
        announce_name(vm, car(cdr(datum)));
      if (head_keyword(vm, datum) == KEYWORD_QUOTE)
        break;
      if (is_pair(car(datum)) && !value_stack_push(stack, car(datum)))
        break;
    }
  }
  stack->count = base;
}

void compile_announce(struct vm *vm, value form) {
  announce_assignments(vm, form);
  switch (head_keyword(vm, form)) {
  case KEYWORD_BEGIN:
    for (value rest = cdr(form); is_pair(rest); rest = cdr(rest))
      compile_announce(vm, car(rest));
    break;
  case KEYWORD_DEFINE:
    announce_name(vm, car(cdr(form)));
    break;
  case KEYWORD_DEFINE_VALUES:
    for (value rest = car(cdr(form)); is_pair(rest); rest = cdr(rest))
      announce_name(vm, car(rest));
    break;
  default:
    break;
  }
}
