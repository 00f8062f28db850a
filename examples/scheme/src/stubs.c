/* Procedures that are not compiled from source: builtins, record procedures, continuations, and
 * the few that need to act on the VM itself. All are closures like any other, so a call needs
 * just one test; their code is one special instruction. */
#include "assembler.h"
#include "heap.h"

static value stub_code(struct vm *vm, enum opcode opcode, int64_t arity, int64_t frame_size) {
  struct assembler assembler;
  assembler_open(&assembler);
  assembler_emit(&assembler, opcode, 0, 0, 0, 0);
  value code = assembler_finish(vm, &assembler, FALSE_VALUE, arity, frame_size);
  assembler_close(&assembler);
  return code;
}

value make_builtin(struct vm *vm, const struct builtin *builtin) {
  value procedure = make_closure(vm, vm->roots.builtin_code, 1);
  if (procedure == FAIL)
    return FAIL;
  closure_of(procedure)->slots[0] = (value)builtin; /* aligned: looks like a fixnum */
  return procedure;
}

const struct builtin *builtin_of(value procedure) {
  const struct closure *closure = closure_of(procedure);
  /* Told from others by its code alone would need the vm; the mark is the arity and the name. */
  const struct code *code = code_of(closure->code);
  return code->name == TRUE_VALUE ? (const struct builtin *)closure->slots[0] : NULL;
}

/* Defines a global whose procedure is a stub of its own. */
static bool define_stub(struct vm *vm, const char *name, enum opcode opcode, int64_t arity,
                        int64_t frame_size) {
  value symbol = intern(vm, name);
  if (symbol == FAIL)
    return false;
  SCHEME_FRAME(vm, symbol);
  value code = stub_code(vm, opcode, arity, frame_size);
  if (code != FAIL)
    heap_store(vm, code_of(code), &code_of(code)->name, symbol);
  value procedure = code == FAIL ? FAIL : make_closure(vm, code, 0);
  struct global *global = procedure == FAIL ? NULL : global_of(vm, symbol);
  SCHEME_END(vm);
  if (global)
    global->content = procedure;
  return global != NULL;
}

/* (call-with-values producer consumer) is two instructions: a call, and a tail call that spreads
 * what came back. */
static bool define_call_with_values(struct vm *vm) {
  struct assembler assembler;
  assembler_open(&assembler);
  assembler_emit(&assembler, OP_MOVE, 5, 1, 0, 0);
  assembler_emit(&assembler, OP_CALL, 3, 0, 0, 0);
  assembler_emit(&assembler, OP_TAIL_CALL_VALUES, 2, 3, 0, 0);
  value symbol = intern(vm, "call-with-values");
  if (symbol == FAIL)
    return false;
  SCHEME_FRAME(vm, symbol);
  value code = assembler_finish(vm, &assembler, symbol, 2, 8);
  value procedure = code == FAIL ? FAIL : make_closure(vm, code, 0);
  struct global *global = procedure == FAIL ? NULL : global_of(vm, symbol);
  SCHEME_END(vm);
  assembler_close(&assembler);
  if (global)
    global->content = procedure;
  return global != NULL;
}

bool stubs_make(struct vm *vm) {
  struct vm_roots *roots = &vm->roots;
  struct {
    value *code;
    enum opcode opcode;
    int64_t arity, frame_size;
  } codes[] = {
      {&roots->underflow_code, OP_UNDERFLOW, 0, 1},
      {&roots->builtin_code, OP_BUILTIN_ENTRY, ARITY_OWN, 1},
      {&roots->continuation_code, OP_CONTINUATION_ENTRY, ARITY_OWN, 3},
      {&roots->constructor_code, OP_CONSTRUCTOR_ENTRY, ARITY_OWN, 1},
      {&roots->predicate_code, OP_PREDICATE_ENTRY, 1, 2},
      {&roots->accessor_code, OP_ACCESSOR_ENTRY, 1, 2},
      {&roots->modifier_code, OP_MODIFIER_ENTRY, 2, 3},
  };
  for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
    value code = stub_code(vm, codes[i].opcode, codes[i].arity, codes[i].frame_size);
    if (code == FAIL)
      return false;
    *codes[i].code = code;
  }
  code_of(roots->builtin_code)->name = TRUE_VALUE;
  return define_stub(vm, "apply", OP_APPLY_ENTRY, ARITY_OWN, 1) &&
         define_stub(vm, "call-with-current-continuation", OP_CALL_CC_ENTRY, 1, 4) &&
         define_stub(vm, "call/cc", OP_CALL_CC_ENTRY, 1, 4) &&
         define_stub(vm, "values", OP_VALUES_ENTRY, ARITY_OWN, 1) &&
         define_stub(vm, "%resume", OP_RESUME_ENTRY, 2, 3) &&
         define_stub(vm, "eval", OP_EVAL_ENTRY, ARITY_REST(1), 3) && define_call_with_values(vm);
}

/* The slots of record procedures: the type; then the index of the field (accessor, modifier), or
 * the argument count and for each field the number of its argument or 0 (constructor: `detail` is
 * a vector of these). */
value make_record_procedure(struct vm *vm, enum inline_kind kind, value type, value detail) {
  const value *code = kind == INLINE_CONSTRUCTOR ? &vm->roots.constructor_code
                      : kind == INLINE_PREDICATE ? &vm->roots.predicate_code
                      : kind == INLINE_ACCESSOR  ? &vm->roots.accessor_code
                                                 : &vm->roots.modifier_code;
  int64_t count = is_vector(detail) ? vector_length(detail) : 1;
  SCHEME_FRAME(vm, type, detail);
  value procedure = make_closure(vm, *code, (int)count + 1);
  SCHEME_END(vm);
  if (procedure == FAIL)
    return FAIL;
  struct closure *closure = closure_of(procedure);
  heap_store(vm, closure, &closure->slots[0], type);
  if (!is_vector(detail))
    closure->slots[1] = detail;
  else
    for (int64_t i = 0; i < count; i++)
      closure->slots[i + 1] = vector_of(detail)->items[i];
  return procedure;
}

value record_construct(struct vm *vm, value *frame) {
  const struct closure *self = closure_of(frame[0]);
  int64_t count = fixnum_of(record_type_of(self->slots[0])->field_count);
  struct record *record =
      heap_allocate_sized(vm, KIND_RECORD, sizeof *record + (size_t)count * sizeof(value));
  if (!record)
    return FAIL;
  self = closure_of(frame[0]);
  heap_initialise(&record->type, self->slots[0]);
  for (int64_t i = 0; i < count; i++) {
    int64_t argument = fixnum_of(self->slots[2 + i]);
    heap_initialise(&record->fields[i], argument ? frame[argument] : FALSE_VALUE);
  }
  return tagged(record, TAG_OBJECT);
}
