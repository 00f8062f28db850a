/* Builtins: vectors and bytevectors. */
#include <stdlib.h>
#include <string.h>

#include "builtins.h"
#include "ports.h"

static bool check_vector(struct vm *vm, const char *name, value v) {
  if (is_vector(v))
    return true;
  bad_argument(vm, name, "not a vector", v);
  return false;
}

static value is_vector_(struct vm *vm, value *argv, int argc) {
  return (void)vm, (void)argc, make_boolean(is_vector(argv[0]));
}

static value make_vector_(struct vm *vm, value *argv, int argc) {
  if (!is_fixnum(argv[0]) || fixnum_of(argv[0]) < 0)
    return bad_argument(vm, "make-vector", "not a length", argv[0]);
  return make_vector(vm, fixnum_of(argv[0]), argc > 1 ? argv[1] : FALSE_VALUE);
}

static void fill_from(struct vm *vm, value v, int64_t at, const value *items, int64_t count) {
  struct vector *vector = vector_of(v);
  for (int64_t i = 0; i < count; i++)
    heap_store(vm, vector, &vector->items[at + i], items[i]);
}

static value vector(struct vm *vm, value *argv, int argc) {
  value v = make_vector(vm, argc, FALSE_VALUE);
  if (v != FAIL)
    fill_from(vm, v, 0, argv, argc);
  return v;
}

static value vector_length_(struct vm *vm, value *argv, int argc) {
  (void)argc;
  return check_vector(vm, "vector-length", argv[0]) ? vector_of(argv[0])->length : FAIL;
}

static value vector_ref(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (!check_vector(vm, "vector-ref", argv[0]) ||
      !check_index(vm, "vector-ref", argv[1], vector_length(argv[0])))
    return FAIL;
  return vector_of(argv[0])->items[fixnum_of(argv[1])];
}

static value vector_set(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (!check_vector(vm, "vector-set!", argv[0]) ||
      !check_index(vm, "vector-set!", argv[1], vector_length(argv[0])))
    return FAIL;
  fill_from(vm, argv[0], fixnum_of(argv[1]), &argv[2], 1);
  return UNSPECIFIED;
}

static value vector_fill(struct vm *vm, value *argv, int argc) {
  int64_t start, end;
  if (!check_vector(vm, "vector-fill!", argv[0]) ||
      !optional_range(vm, "vector-fill!", argv, argc, 2, vector_length(argv[0]), &start, &end))
    return FAIL;
  for (int64_t i = start; i < end; i++)
    fill_from(vm, argv[0], i, &argv[1], 1);
  return UNSPECIFIED;
}

static value vector_to_list(struct vm *vm, value *argv, int argc) {
  int64_t start, end;
  if (!check_vector(vm, "vector->list", argv[0]) ||
      !optional_range(vm, "vector->list", argv, argc, 1, vector_length(argv[0]), &start, &end))
    return FAIL;
  value result = NIL;
  for (int64_t i = end - 1; i >= start; i--) {
    result = make_pair(vm, vector_of(argv[0])->items[i], result);
    if (result == FAIL)
      return FAIL;
  }
  return result;
}

static value list_to_vector(struct vm *vm, value *argv, int argc) {
  (void)argc;
  int64_t length = list_length(vm, "list->vector", argv[0]);
  value v = length < 0 ? FAIL : make_vector(vm, length, FALSE_VALUE);
  if (v == FAIL)
    return FAIL;
  value rest = argv[0];
  for (int64_t i = 0; i < length; i++, rest = cdr(rest))
    fill_from(vm, v, i, &pair_of(rest)->car, 1);
  return v;
}

static value vector_copy(struct vm *vm, value *argv, int argc) {
  int64_t start, end;
  if (!check_vector(vm, "vector-copy", argv[0]) ||
      !optional_range(vm, "vector-copy", argv, argc, 1, vector_length(argv[0]), &start, &end))
    return FAIL;
  value v = make_vector(vm, end - start, FALSE_VALUE);
  if (v != FAIL)
    fill_from(vm, v, 0, vector_of(argv[0])->items + start, end - start);
  return v;
}

static value vector_copy_to(struct vm *vm, value *argv, int argc) {
  int64_t start, end;
  if (!check_vector(vm, "vector-copy!", argv[0]) || !check_vector(vm, "vector-copy!", argv[2]) ||
      !check_index(vm, "vector-copy!", argv[1], vector_length(argv[0]) + 1) ||
      !optional_range(vm, "vector-copy!", argv, argc, 3, vector_length(argv[2]), &start, &end))
    return FAIL;
  int64_t at = fixnum_of(argv[1]), count = end - start;
  if (count > vector_length(argv[0]) - at)
    return bad_argument(vm, "vector-copy!", "the target is too short", argv[1]);
  struct vector *to = vector_of(argv[0]);
  const struct vector *from = vector_of(argv[2]);
  bool backwards = argv[0] == argv[2] && at > start; /* the ranges may overlap */
  for (int64_t n = 0; n < count; n++) {
    int64_t i = backwards ? count - 1 - n : n;
    heap_store(vm, to, &to->items[at + i], from->items[start + i]);
  }
  return UNSPECIFIED;
}

static value vector_append(struct vm *vm, value *argv, int argc) {
  int64_t total = 0;
  for (int i = 0; i < argc; i++) {
    if (!check_vector(vm, "vector-append", argv[i]))
      return FAIL;
    total += vector_length(argv[i]);
  }
  value v = make_vector(vm, total, FALSE_VALUE);
  if (v == FAIL)
    return FAIL;
  int64_t at = 0;
  for (int i = 0; i < argc; i++) {
    fill_from(vm, v, at, vector_of(argv[i])->items, vector_length(argv[i]));
    at += vector_length(argv[i]);
  }
  return v;
}

/* ---- Bytevectors ---- */
static bool check_bytevector(struct vm *vm, const char *name, value v) {
  if (is_kind(vm, v, KIND_BYTEVECTOR))
    return true;
  bad_argument(vm, name, "not a bytevector", v);
  return false;
}

static bool check_byte(struct vm *vm, const char *name, value v) {
  if (is_index(v, 256))
    return true;
  bad_argument(vm, name, "not a byte", v);
  return false;
}

static value is_bytevector(struct vm *vm, value *argv, int argc) {
  return (void)argc, make_boolean(is_kind(vm, argv[0], KIND_BYTEVECTOR));
}

static value make_bytevector_(struct vm *vm, value *argv, int argc) {
  if (!is_fixnum(argv[0]) || fixnum_of(argv[0]) < 0)
    return bad_argument(vm, "make-bytevector", "not a length", argv[0]);
  if (argc > 1 && !check_byte(vm, "make-bytevector", argv[1]))
    return FAIL;
  return make_bytevector(vm, fixnum_of(argv[0]), argc > 1 ? (int)fixnum_of(argv[1]) : 0);
}

static value bytevector(struct vm *vm, value *argv, int argc) {
  for (int i = 0; i < argc; i++)
    if (!check_byte(vm, "bytevector", argv[i]))
      return FAIL;
  value v = make_bytevector(vm, argc, 0);
  if (v == FAIL)
    return FAIL;
  for (int i = 0; i < argc; i++)
    bytevector_of(v)->data[i] = (uint8_t)fixnum_of(argv[i]);
  return v;
}

static value bytevector_length(struct vm *vm, value *argv, int argc) {
  (void)argc;
  return check_bytevector(vm, "bytevector-length", argv[0]) ? make_fixnum(bytevector_of(argv[0])->length)
                                                            : FAIL;
}

static value bytevector_ref(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (!check_bytevector(vm, "bytevector-u8-ref", argv[0]) ||
      !check_index(vm, "bytevector-u8-ref", argv[1], bytevector_of(argv[0])->length))
    return FAIL;
  return make_fixnum(bytevector_of(argv[0])->data[fixnum_of(argv[1])]);
}

static value bytevector_set(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (!check_bytevector(vm, "bytevector-u8-set!", argv[0]) ||
      !check_index(vm, "bytevector-u8-set!", argv[1], bytevector_of(argv[0])->length) ||
      !check_byte(vm, "bytevector-u8-set!", argv[2]))
    return FAIL;
  bytevector_of(argv[0])->data[fixnum_of(argv[1])] = (uint8_t)fixnum_of(argv[2]);
  return UNSPECIFIED;
}

static value bytevector_copy(struct vm *vm, value *argv, int argc) {
  int64_t start, end;
  if (!check_bytevector(vm, "bytevector-copy", argv[0]) ||
      !optional_range(vm, "bytevector-copy", argv, argc, 1, bytevector_of(argv[0])->length, &start, &end))
    return FAIL;
  value v = make_bytevector(vm, end - start, 0);
  if (v != FAIL)
    memcpy(bytevector_of(v)->data, bytevector_of(argv[0])->data + start, (size_t)(end - start));
  return v;
}

static value bytevector_copy_to(struct vm *vm, value *argv, int argc) {
  int64_t start, end;
  if (!check_bytevector(vm, "bytevector-copy!", argv[0]) ||
      !check_bytevector(vm, "bytevector-copy!", argv[2]) ||
      !check_index(vm, "bytevector-copy!", argv[1], bytevector_of(argv[0])->length + 1) ||
      !optional_range(vm, "bytevector-copy!", argv, argc, 3, bytevector_of(argv[2])->length, &start, &end))
    return FAIL;
  if (end - start > bytevector_of(argv[0])->length - fixnum_of(argv[1]))
    return bad_argument(vm, "bytevector-copy!", "the target is too short", argv[1]);
  memmove(bytevector_of(argv[0])->data + fixnum_of(argv[1]), bytevector_of(argv[2])->data + start,
          (size_t)(end - start));
  return UNSPECIFIED;
}

static value bytevector_append(struct vm *vm, value *argv, int argc) {
  int64_t total = 0;
  for (int i = 0; i < argc; i++) {
    if (!check_bytevector(vm, "bytevector-append", argv[i]))
      return FAIL;
    total += bytevector_of(argv[i])->length;
  }
  value v = make_bytevector(vm, total, 0);
  if (v == FAIL)
    return FAIL;
  int64_t at = 0;
  for (int i = 0; i < argc; i++) {
    memcpy(bytevector_of(v)->data + at, bytevector_of(argv[i])->data, (size_t)bytevector_of(argv[i])->length);
    at += bytevector_of(argv[i])->length;
  }
  return v;
}

/* The bytes are copied first: making the string may move the bytevector. */
static value utf8_to_string(struct vm *vm, value *argv, int argc) {
  int64_t start, end;
  if (!check_bytevector(vm, "utf8->string", argv[0]) ||
      !optional_range(vm, "utf8->string", argv, argc, 1, bytevector_of(argv[0])->length, &start, &end))
    return FAIL;
  size_t size = (size_t)(end - start);
  char *text = malloc(size + 1);
  if (!text)
    return out_of_memory(vm);
  memcpy(text, bytevector_of(argv[0])->data + start, size);
  value string = make_string_from_bytes(vm, text, size);
  free(text);
  return string;
}

static value string_to_utf8(struct vm *vm, value *argv, int argc) {
  int64_t start, end;
  if (!is_string(vm, argv[0]))
    return bad_argument(vm, "string->utf8", "not a string", argv[0]);
  if (!optional_range(vm, "string->utf8", argv, argc, 1, string_of(argv[0])->length, &start, &end))
    return FAIL;
  struct port *port = port_new_string(vm, NULL, 0);
  if (!port)
    return out_of_memory(vm);
  do
    port_write_string(port, argv[0], start, end);
  while (port_again(port, 0));
  value v = port_forgive(port) ? make_bytevector(vm, (int64_t)port->end, 0) : out_of_memory(vm);
  if (v != FAIL)
    memcpy(bytevector_of(v)->data, port->buffer, port->end);
  port_discard(port);
  return v;
}

const struct builtin vector_builtins[] = {
    {"vector?", is_vector_, 1, 1},
    {"make-vector", make_vector_, 1, 2},
    {"vector", vector, 0, -1},
    {"vector-length", vector_length_, 1, 1},
    {"vector-ref", vector_ref, 2, 2},
    {"vector-set!", vector_set, 3, 3},
    {"vector-fill!", vector_fill, 2, 4},
    {"vector->list", vector_to_list, 1, 3},
    {"list->vector", list_to_vector, 1, 1},
    {"vector-copy", vector_copy, 1, 3},
    {"vector-copy!", vector_copy_to, 3, 5},
    {"vector-append", vector_append, 0, -1},
    {"bytevector?", is_bytevector, 1, 1},
    {"make-bytevector", make_bytevector_, 1, 2},
    {"bytevector", bytevector, 0, -1},
    {"bytevector-length", bytevector_length, 1, 1},
    {"bytevector-u8-ref", bytevector_ref, 2, 2},
    {"bytevector-u8-set!", bytevector_set, 3, 3},
    {"bytevector-copy", bytevector_copy, 1, 3},
    {"bytevector-copy!", bytevector_copy_to, 3, 5},
    {"bytevector-append", bytevector_append, 0, -1},
    {"utf8->string", utf8_to_string, 1, 3},
    {"string->utf8", string_to_utf8, 1, 3},
    {NULL, NULL, 0, 0},
};
