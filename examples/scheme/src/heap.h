/* The heap glue: everything the interpreter asks of midden, in one place.
 *
 * All make_ functions may collect and move objects, and return FAIL (with the out-of-memory
 * condition as the exception) when there is no memory. Their arguments are kept alive and up to
 * date by them; what else the caller holds is the caller's business: on the VM stack, or in a
 * SCHEME_FRAME. */
#ifndef SCHEME_HEAP_H
#define SCHEME_HEAP_H

#include "vm.h"

/* C locals that hold values across an allocation. With stack=conservative the heap finds them on
 * the C stack by itself and the macros are empty; the precise build, which opens its heap with
 * stack=precise, registers them, and they are rewritten when their objects move. The same source
 * serves both; the precise build is the proof that no local was forgotten. */
#ifdef SCHEME_PRECISE
#define SCHEME_FRAME(vm, ...) MIDDEN_FRAME((vm)->mutator, __VA_ARGS__)
#define SCHEME_END(vm) MIDDEN_END((vm)->mutator)
#else
#define SCHEME_FRAME(vm, ...) ((void)(vm))
#define SCHEME_END(vm) ((void)(vm))
#endif

/* Opens a heap and an interpreter on it. `config` has the user's options; the host's own demands
 * (tags, stack mode) are set here. post: NULL and *error on failure. */
struct vm *scheme_open(midden_config *config, const void *stack_bottom, midden_error *error);
void scheme_close(struct vm *vm);

/* A store of a value into a heap object, with the write barrier that a generational heap needs. */
static inline void heap_store(struct vm *vm, void *object, value *slot, value v) {
  midden_store_word(vm->mutator, object, slot, v);
}

/* The first store into a slot of an object after which nothing was allocated: needs no barrier. */
static inline void heap_initialise(value *slot, value v) { *slot = v; }

value out_of_memory(struct vm *vm);
/* After memory ran out: tries to set some aside again for the next time. MAY COLLECT AND MOVE. */
void heap_restore_ballast(struct vm *vm);

/* An object of a kind of fixed size; of any size. NULL: the exception is set. MAY COLLECT AND MOVE. */
static inline void *heap_allocate(struct vm *vm, enum kind kind) {
  void *object = midden_alloc(vm->mutator, vm->kinds[kind]);
  if (MIDDEN_UNLIKELY(!object))
    out_of_memory(vm);
  return object;
}
static inline void *heap_allocate_sized(struct vm *vm, enum kind kind, size_t size) {
  void *object = midden_alloc_sized(vm->mutator, vm->kinds[kind], size);
  if (MIDDEN_UNLIKELY(!object))
    out_of_memory(vm);
  return object;
}

/* objects.c */
value make_pair(struct vm *vm, value first, value rest);
value make_flonum(struct vm *vm, double number);
value make_vector(struct vm *vm, int64_t length, value fill);
value make_closure(struct vm *vm, value code, int slot_count);
value make_code(struct vm *vm, size_t word_count);
value make_string(struct vm *vm, int64_t length, int width);
value make_string_from(struct vm *vm, const char *text); /* UTF-8 */
value make_string_from_bytes(struct vm *vm, const char *text, size_t size);
value make_bytevector(struct vm *vm, int64_t length, int fill);
value make_record_type(struct vm *vm, value name, value fields, int64_t field_count);
value make_condition(struct vm *vm, int kind, value message, value irritants);
value make_port(struct vm *vm, struct port *port); /* on failure the port is closed and gone */
value make_multiple(struct vm *vm, const value *items, int count); /* items on the VM stack */

/* Widens a string so that it can hold any character. */
bool string_widen(struct vm *vm, value string);

bool value_stack_push(struct value_stack *stack, value v);

/* builtins_weak.c: the guardians of live objects are roots. */
void guards_visit(struct vm *vm, midden_visitor *visitor);
void guards_close(struct vm *vm);

/* Collects. */
void heap_collect(struct vm *vm);
/* Prints one line name=value for each figure of the heap. */
void heap_print_statistics(struct vm *vm, FILE *file);

#endif
