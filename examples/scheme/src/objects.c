/* The objects that Scheme programs see: allocated and filled. */
#include <string.h>

#include "heap.h"
#include "ports.h"

/* The pattern of all: arguments that are values are in a frame across the
 * allocation, and are read again after it. The stores into the fresh object need no barrier. */
value make_pair(struct vm *vm, value first, value rest) {
  SCHEME_FRAME(vm, first, rest);
  struct pair *pair = heap_allocate(vm, KIND_PAIR);
  SCHEME_END(vm);
  if (!pair)
    return FAIL;
  heap_initialise(&pair->car, first);
  heap_initialise(&pair->cdr, rest);
  return tagged(pair, TAG_PAIR);
}

value make_flonum(struct vm *vm, double number) {
  struct flonum *flonum = heap_allocate(vm, KIND_FLONUM);
  if (!flonum)
    return FAIL;
  flonum->number = number;
  return tagged(flonum, TAG_FLONUM);
}

/* Lengths come from programs: what would overflow is refused like what does not fit. */
static bool length_fits(int64_t length, size_t element) {
  return length >= 0 && (uint64_t)length < ((uint64_t)1 << 56) / element;
}

value make_vector(struct vm *vm, int64_t length, value fill) {
  if (!length_fits(length, sizeof(value)))
    return out_of_memory(vm);
  SCHEME_FRAME(vm, fill);
  struct vector *vector =
      heap_allocate_sized(vm, KIND_VECTOR, sizeof *vector + (size_t)length * sizeof(value));
  SCHEME_END(vm);
  if (!vector)
    return FAIL;
  vector->length = make_fixnum(length);
  for (int64_t i = 0; i < length; i++)
    heap_initialise(&vector->items[i], fill);
  return tagged(vector, TAG_VECTOR);
}

value make_closure(struct vm *vm, value code, int slot_count) {
  SCHEME_FRAME(vm, code);
  struct closure *closure =
      heap_allocate_sized(vm, KIND_CLOSURE, sizeof *closure + (size_t)slot_count * sizeof(value));
  SCHEME_END(vm);
  if (!closure)
    return FAIL;
  heap_initialise(&closure->code, code);
  return tagged(closure, TAG_PROCEDURE);
}

value make_code(struct vm *vm, size_t word_count) {
  struct code *code = heap_allocate_sized(vm, KIND_CODE, sizeof *code + word_count * sizeof(union word));
  if (!code)
    return FAIL;
  code->word_count = (int64_t)word_count;
  return tagged(code, TAG_OBJECT);
}

static value make_bytes(struct vm *vm, int64_t length, int width) {
  if (!length_fits(length, (size_t)width))
    return out_of_memory(vm);
  void *bytes = heap_allocate_sized(vm, KIND_BYTES, (size_t)length * (size_t)width);
  return bytes ? tagged(bytes, TAG_OBJECT) : FAIL;
}

value make_string(struct vm *vm, int64_t length, int width) {
  value body = make_bytes(vm, length, width);
  if (body == FAIL)
    return FAIL;
  SCHEME_FRAME(vm, body);
  struct string *string = heap_allocate(vm, KIND_STRING);
  SCHEME_END(vm);
  if (!string)
    return FAIL;
  heap_initialise(&string->body, body);
  string->length = length;
  string->width = width;
  return tagged(string, TAG_OBJECT);
}

bool string_widen(struct vm *vm, value s) {
  SCHEME_FRAME(vm, s);
  value body = make_bytes(vm, string_of(s)->length, 4);
  SCHEME_END(vm);
  if (body == FAIL)
    return false;
  uint32_t *wide = object_of(body);
  struct string *string = string_of(s);
  for (int64_t i = 0; i < string->length; i++)
    wide[i] = string_get(s, i);
  heap_store(vm, string, &string->body, body);
  string->width = 4;
  return true;
}

value make_bytevector(struct vm *vm, int64_t length, int fill) {
  if (!length_fits(length, 1))
    return out_of_memory(vm);
  struct bytevector *bytevector =
      heap_allocate_sized(vm, KIND_BYTEVECTOR, sizeof *bytevector + (size_t)length);
  if (!bytevector)
    return FAIL;
  bytevector->length = length;
  memset(bytevector->data, fill, (size_t)length);
  return tagged(bytevector, TAG_OBJECT);
}

value make_record_type(struct vm *vm, value name, value fields, int64_t field_count) {
  SCHEME_FRAME(vm, name, fields);
  struct record_type *type = heap_allocate(vm, KIND_RECORD_TYPE);
  SCHEME_END(vm);
  if (!type)
    return FAIL;
  heap_initialise(&type->name, name);
  type->field_count = make_fixnum(field_count);
  heap_initialise(&type->fields, fields);
  return tagged(type, TAG_OBJECT);
}

value make_condition(struct vm *vm, int kind, value message, value irritants) {
  SCHEME_FRAME(vm, message, irritants);
  struct condition *condition = heap_allocate(vm, KIND_CONDITION);
  SCHEME_END(vm);
  if (!condition)
    return FAIL;
  condition->kind = make_fixnum(kind);
  heap_initialise(&condition->message, message);
  heap_initialise(&condition->irritants, irritants);
  return tagged(condition, TAG_OBJECT);
}

value make_port(struct vm *vm, struct port *port) {
  struct port_object *object = heap_allocate(vm, KIND_PORT);
  if (!object) {
    port_close(port);
    port_discard(port);
    return FAIL;
  }
  object->port = port;
  return tagged(object, TAG_OBJECT);
}

value make_multiple(struct vm *vm, const value *items, int count) {
  struct multiple *multiple =
      heap_allocate_sized(vm, KIND_MULTIPLE, sizeof *multiple + (size_t)count * sizeof(value));
  if (!multiple)
    return FAIL;
  multiple->count = make_fixnum(count);
  for (int i = 0; i < count; i++)
    heap_initialise(&multiple->items[i], items[i]);
  return tagged(multiple, TAG_OBJECT);
}
