/* clang-format off */
/* Part of the VM loop: pairs, vectors, strings, records. Included by vm.c. */

L_CONS: {
  vm->frame = fp, vm->top = fp + D;
  struct pair *pair = midden_alloc(mutator, vm->kinds[KIND_PAIR]);
  if (MIDDEN_UNLIKELY(!pair)) goto no_memory;
  heap_initialise(&pair->car, R(B));
  heap_initialise(&pair->cdr, R(C));
  R(A) = tagged(pair, TAG_PAIR);
  NEXT(2);
}

#define SELECTOR(name, text, first)                                                                       \
  L_##name : {                                                                                            \
    value x = R(B);                                                                                       \
    if (MIDDEN_UNLIKELY(!is_pair(x))) TYPE_ERROR(text ": not a pair", R(B));                              \
    R(A) = first(x);                                                                                      \
    NEXT(2);                                                                                              \
  }
#define SELECTOR_2(name, text, first, second)                                                             \
  L_##name : {                                                                                            \
    value x = R(B);                                                                                       \
    if (MIDDEN_UNLIKELY(!is_pair(x))) TYPE_ERROR(text ": no such part", R(B));                            \
    x = first(x);                                                                                         \
    if (MIDDEN_UNLIKELY(!is_pair(x))) TYPE_ERROR(text ": no such part", R(B));                            \
    R(A) = second(x);                                                                                     \
    NEXT(2);                                                                                              \
  }

  SELECTOR(CAR, "car", car)
  SELECTOR(CDR, "cdr", cdr)
  SELECTOR_2(CAAR, "caar", car, car)
  SELECTOR_2(CADR, "cadr", cdr, car)
  SELECTOR_2(CDAR, "cdar", car, cdr)
  SELECTOR_2(CDDR, "cddr", cdr, cdr)

L_CADDR: {
  value x = R(B);
  for (int i = 0; i < 2; i++) {
    if (MIDDEN_UNLIKELY(!is_pair(x))) TYPE_ERROR("caddr: no such part", R(B));
    x = cdr(x);
  }
  if (MIDDEN_UNLIKELY(!is_pair(x))) TYPE_ERROR("caddr: no such part", R(B));
  R(A) = car(x);
  NEXT(2);
}

L_SET_CAR: {
  if (MIDDEN_UNLIKELY(!is_pair(R(A)))) TYPE_ERROR("set-car!: not a pair", R(A));
  struct pair *pair = pair_of(R(A));
  heap_store(vm, pair, &pair->car, R(B));
  NEXT(2);
}

L_SET_CDR: {
  if (MIDDEN_UNLIKELY(!is_pair(R(A)))) TYPE_ERROR("set-cdr!: not a pair", R(A));
  struct pair *pair = pair_of(R(A));
  heap_store(vm, pair, &pair->cdr, R(B));
  NEXT(2);
}

L_VECTOR_REF: {
  value v = R(B), index = R(C);
  if (MIDDEN_UNLIKELY(!is_vector(v))) TYPE_ERROR("vector-ref: not a vector", v);
  /* As unsigned words, a fixnum index is in range exactly if it is below the fixnum length. */
  if (MIDDEN_UNLIKELY(!is_fixnum(index) || index >= vector_of(v)->length))
    TYPE_ERROR("vector-ref: index out of range", index);
  R(A) = vector_of(v)->items[index >> 2];
  NEXT(2);
}

L_VECTOR_SET: {
  value v = R(A), index = R(B);
  if (MIDDEN_UNLIKELY(!is_vector(v))) TYPE_ERROR("vector-set!: not a vector", v);
  if (MIDDEN_UNLIKELY(!is_fixnum(index) || index >= vector_of(v)->length))
    TYPE_ERROR("vector-set!: index out of range", index);
  heap_store(vm, vector_of(v), &vector_of(v)->items[index >> 2], R(C));
  NEXT(2);
}

L_VECTOR_LENGTH: {
  value v = R(B);
  if (MIDDEN_UNLIKELY(!is_vector(v))) TYPE_ERROR("vector-length: not a vector", v);
  R(A) = vector_of(v)->length;
  NEXT(2);
}

L_STRING_REF: {
  value s = R(B), index = R(C);
  if (MIDDEN_UNLIKELY(!is_string(vm, s))) TYPE_ERROR("string-ref: not a string", s);
  if (MIDDEN_UNLIKELY(!is_index(index, (uint64_t)string_of(s)->length)))
    TYPE_ERROR("string-ref: index out of range", index);
  R(A) = make_character(string_get(s, fixnum_of(index)));
  NEXT(2);
}

L_RECORD: {
  vm->frame = fp, vm->top = fp + D;
  unsigned count = B, from = C;
  struct record *record =
      midden_alloc_sized(mutator, vm->kinds[KIND_RECORD], sizeof *record + count * sizeof(value));
  if (MIDDEN_UNLIKELY(!record)) goto no_memory;
  heap_initialise(&record->type, CONSTANT(2));
  for (unsigned i = 0; i < count; i++) heap_initialise(&record->fields[i], R(from + i));
  R(A) = tagged(record, TAG_OBJECT);
  NEXT(3);
}

L_RECORD_REF: {
  value record = R(B);
  if (MIDDEN_UNLIKELY(!is_record_of(record, CONSTANT(2)))) goto wrong_record;
  R(A) = record_of(record)->fields[C];
  NEXT(3);
}

L_RECORD_SET: {
  value record = R(A);
  if (MIDDEN_UNLIKELY(!is_record_of(record, CONSTANT(2)))) goto wrong_record;
  heap_store(vm, record_of(record), &record_of(record)->fields[C], R(B));
  NEXT(3);
}

wrong_record: {
  value irritants[2] = {pc->label == labels[OP_RECORD_SET] ? R(A) : R(B), CONSTANT(2)};
  vm->top = frame_end(fp, 0);
  raise_error(vm, CONDITION_TYPE, "not a record of the right type", 2, irritants);
  argc = 0;
  goto raise;
}
