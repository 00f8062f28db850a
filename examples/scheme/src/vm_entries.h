/* clang-format off */
/* Part of the VM loop: the first instructions of procedures that are not compiled from source
 * (stubs.c makes their code). argc is the number of arguments, which start at register 1.
 * Included by vm.c. */

L_BUILTIN_ENTRY: {
  const struct builtin *builtin = builtin_of(fp[0]);
  vm->top = fp + 1 + argc;
  vm->frame = fp;
  if (argc < builtin->minimum || (builtin->maximum >= 0 && argc > builtin->maximum)) {
    raise_arity(vm, fp[0], (int)argc);
    goto raise;
  }
  value result = builtin->function(vm, fp + 1, (int)argc);
  if (MIDDEN_UNLIKELY(result == FAIL)) goto raise;
  RETURN_VALUE(result);
}

L_APPLY_ENTRY: {
  if (argc < 1) {
    vm->top = fp + 1;
    raise_arity(vm, fp[0], (int)argc);
    goto raise;
  }
  value callee = R(1);
  if (argc > 1) {
    int64_t count = spread_list(vm, fp + argc + 1, R(argc));
    if (count < 0) goto raise;
    /* procedure a b (c d) c d: the list itself is in the way */
    for (int64_t i = 0; i < count; i++) R(argc + i) = R(argc + 1 + i);
    argc += count - 1;
  }
  argc--;
  if (!is_procedure(callee)) TYPE_ERROR("apply: not a procedure", callee);
  for (int64_t i = 0; i <= argc; i++) R(i) = R(i + 1);
  if (argc < 0) argc = 0;
  frame = fp;
  ENTER(callee);
}

L_CALL_CC_ENTRY: {
  value receiver = R(1);
  if (!is_procedure(receiver)) TYPE_ERROR("call/cc: not a procedure", receiver);
  frame = continuation_capture(vm, fp);
  if (!frame) goto raise;
  fp = frame;
  vm->top = fp + 2;
  value continuation = continuation_make(vm);
  if (continuation == FAIL) goto raise;
  fp[0] = fp[1];
  fp[1] = continuation;
  argc = 1;
  ENTER(fp[0]);
}

L_VALUES_ENTRY: {
  if (argc == 1) RETURN_VALUE(R(1));
  vm->top = fp + 1 + argc;
  value multiple = make_multiple(vm, fp + 1, (int)argc);
  if (multiple == FAIL) goto raise;
  RETURN_VALUE(multiple);
}

L_CONTINUATION_ENTRY: { /* a continuation was called: through dynamic-wind's procedures if need be */
  if (argc != 1) {
    vm->top = fp + 1 + argc;
    value multiple = make_multiple(vm, fp + 1, (int)argc);
    if (multiple == FAIL) goto raise;
    R(1) = multiple;
  }
  if (closure_of(fp[0])->slots[CONTINUATION_WINDERS] != vm->roots.winders) {
    R(2) = R(1);
    R(1) = R(0);
    R(0) = vm->roots.rewind;
    argc = 2;
    frame = fp;
    ENTER(fp[0]);
  }
  value result = R(1);
  continuation_install(vm, fp[0]);
  RESUME(result);
}

L_RESUME_ENTRY: { /* (%resume continuation value): the rest of it, winders done */
  value result = R(2);
  continuation_install(vm, R(1));
  RESUME(result);
}

L_TAIL_CALL_VALUES: {
  value callee = R(A);
  if (!is_procedure(callee)) TYPE_ERROR("call-with-values: not a procedure", callee);
  vm->top = frame_end(fp, 0);
  argc = spread_values(vm, fp + 1, R(B));
  if (argc < 0) {
    argc = 0;
    goto raise;
  }
  fp[0] = callee;
  frame = fp;
  ENTER(callee);
}

L_CONSTRUCTOR_ENTRY: { /* slots: type, then for each field the number of its argument, or 0 */
  int64_t expected = fixnum_of(closure_of(fp[0])->slots[1]);
  vm->top = fp + 1 + argc;
  if (argc != expected) {
    raise_arity(vm, fp[0], (int)argc);
    goto raise;
  }
  value record = record_construct(vm, fp);
  if (record == FAIL) goto raise;
  RETURN_VALUE(record);
}

L_PREDICATE_ENTRY:
  RETURN_VALUE(make_boolean(is_record_of(R(1), closure_of(fp[0])->slots[0])));

L_ACCESSOR_ENTRY: {
  const struct closure *self = closure_of(fp[0]);
  if (!is_record_of(R(1), self->slots[0])) TYPE_ERROR("not a record of the right type", R(1));
  RETURN_VALUE(record_of(R(1))->fields[fixnum_of(self->slots[1])]);
}

L_MODIFIER_ENTRY: {
  const struct closure *self = closure_of(fp[0]);
  if (!is_record_of(R(1), self->slots[0])) TYPE_ERROR("not a record of the right type", R(1));
  struct record *record = record_of(R(1));
  heap_store(vm, record, &record->fields[fixnum_of(self->slots[1])], R(2));
  RETURN_VALUE(UNSPECIFIED);
}

L_EVAL_ENTRY: {
  vm->top = fp + 1 + argc;
  value thunk = compile_toplevel(vm, R(1));
  if (thunk == FAIL) goto raise;
  fp[0] = thunk;
  argc = 0;
  frame = fp;
  ENTER(fp[0]);
}

L_HALT:
  return R(0);
