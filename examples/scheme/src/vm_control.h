/* clang-format off */
/* Part of the VM loop: moving values, variables, jumps, calls. Included by vm.c. */

L_MOVE:
  R(A) = R(B);
  NEXT(2);

L_IMMEDIATE:
  R(A) = pc[2].constant;
  NEXT(3);

L_CONSTANT:
  R(A) = CONSTANT(2);
  NEXT(3);

L_CAPTURED:
  R(A) = closure_of(fp[0])->slots[B];
  NEXT(2);

L_BOX: {
  vm->frame = fp, vm->top = fp + D;
  struct box *box = midden_alloc(mutator, vm->kinds[KIND_BOX]);
  if (!box) goto no_memory;
  heap_initialise(&box->content, R(B));
  R(A) = tagged(box, TAG_OBJECT);
  NEXT(2);
}

L_UNBOX: {
  value content = ((struct box *)object_of(R(B)))->content;
  if (content == UNDEFINED) TYPE_ERROR("a variable was used before its definition", UNSPECIFIED);
  R(A) = content;
  NEXT(2);
}

L_SET_BOX: {
  struct box *box = object_of(R(A));
  heap_store(vm, box, &box->content, R(B));
  NEXT(2);
}

L_UNBOX_CAPTURED: {
  value content = ((struct box *)object_of(closure_of(fp[0])->slots[B]))->content;
  if (content == UNDEFINED) TYPE_ERROR("a variable was used before its definition", UNSPECIFIED);
  R(A) = content;
  NEXT(2);
}

L_SET_BOX_CAPTURED: {
  struct box *box = object_of(closure_of(fp[0])->slots[A]);
  heap_store(vm, box, &box->content, R(B));
  NEXT(2);
}

L_GLOBAL: {
  value content = pc[2].global->content;
  if (MIDDEN_UNLIKELY(content == UNDEFINED)) goto undefined_global;
  R(A) = content;
  NEXT(3);
}

L_SET_GLOBAL: /* globals are roots, not heap objects: a plain store */
  if (MIDDEN_UNLIKELY(pc[2].global->content == UNDEFINED)) goto undefined_global;
  pc[2].global->content = R(A);
  NEXT(3);

L_DEFINE_GLOBAL:
  pc[2].global->content = R(A);
  NEXT(3);

L_CLOSURE: {
  vm->frame = fp, vm->top = fp + C;
  unsigned count = B;
  struct closure *closure = midden_alloc_sized(mutator, vm->kinds[KIND_CLOSURE],
                                               sizeof *closure + count * sizeof(value));
  if (!closure) goto no_memory;
  heap_initialise(&closure->code, CONSTANT(2));
  for (unsigned i = 0; i < count; i++) {
    unsigned from = pc[3 + i / 4].captures[i % 4];
    value captured = from & 0x8000 ? closure_of(fp[0])->slots[from & 0x7fff] : R(from);
    heap_initialise(&closure->slots[i], captured);
  }
  R(A) = tagged(closure, TAG_PROCEDURE);
  NEXT(3 + (count + 3) / 4);
}

L_CLOSURE_SET: {
  struct closure *closure = closure_of(R(A));
  heap_store(vm, closure, &closure->slots[B], R(C));
  NEXT(2);
}

L_JUMP:
  pc += pc[1].j.offset;
  DISPATCH();

L_JUMP_FALSE:
  BRANCH(R(A) == FALSE_VALUE, 2);

L_JUMP_TRUE:
  BRANCH(R(A) != FALSE_VALUE, 2);

L_CALL: {
  argc = B;
  unsigned window = A;
  value callee = R(window + LINKAGE);
  if (MIDDEN_UNLIKELY(!is_procedure(callee))) {
    culprit = callee;
    goto not_procedure;
  }
  LINK(window, 2);
  ENTER(callee);
}

L_CALL_GLOBAL: {
  argc = B;
  unsigned window = A;
  value callee = pc[2].global->content;
  if (MIDDEN_UNLIKELY(!is_procedure(callee))) {
    culprit = callee;
    goto not_procedure;
  }
  LINK(window, 3);
  frame[0] = callee;
  ENTER(callee);
}

L_CALL_KNOWN: {
  unsigned window = A;
  value callee = R(C);
  argc = B;
  LINK(window, 2);
  frame[0] = callee;
  if (MIDDEN_UNLIKELY(frame > vm->soft_limit)) goto stack_full;
  fp = frame;
  pc = code_of(closure_of(callee)->code)->instructions;
  DISPATCH();
}

L_TAIL_CALL: {
  unsigned from = A;
  value callee = R(from);
  argc = B;
  if (MIDDEN_UNLIKELY(!is_procedure(callee))) {
    culprit = callee;
    goto not_procedure;
  }
  for (int64_t i = 0; i <= argc; i++) R(i) = R(from + i);
  frame = fp;
  ENTER(callee);
}

L_TAIL_CALL_GLOBAL: {
  unsigned from = A;
  value callee = pc[2].global->content;
  argc = B;
  if (MIDDEN_UNLIKELY(!is_procedure(callee))) {
    culprit = callee;
    goto not_procedure;
  }
  for (int64_t i = 1; i <= argc; i++) R(i) = R(from + i);
  fp[0] = callee;
  frame = fp;
  ENTER(callee);
}

L_BUILTIN: {
  value *arguments = fp + A;
  int count = B;
  vm->top = arguments + count;
  vm->frame = fp;
  value result = pc[2].builtin->function(vm, arguments, count);
  if (MIDDEN_UNLIKELY(result == FAIL)) {
    argc = 0;
    goto raise;
  }
  R(C) = result;
  NEXT(3);
}

L_RETURN:
  RETURN_VALUE(R(A));

L_RETURN_IMMEDIATE:
  RETURN_VALUE(pc[2].constant);

L_ENTER_LARGE: /* a frame that does not fit into the slack above the soft limit */
  vm->top = frame_end(fp, 0);
  if (fp + pc[1].j.offset > vm->soft_limit && !stack_grow(vm, fp + pc[1].j.offset)) goto raise;
  NEXT(2);

L_UNDERFLOW: { /* the last frame on the stack returned, and left its result at the base */
  value result = vm->base[0];
  RESUME(result);
}
