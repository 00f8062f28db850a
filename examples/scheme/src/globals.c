/* Symbols and global variables.
 *
 * The symbol table is an open-addressing hash table outside the heap; the root scanner visits it.
 * Its entries are found by the hash of the name, not by address, so objects may move. */
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "heap.h"
#include "ports.h"

static bool same_string(value a, value b) {
  int64_t length = string_of(a)->length;
  if (length != string_of(b)->length)
    return false;
  for (int64_t i = 0; i < length; i++)
    if (string_get(a, i) != string_get(b, i))
      return false;
  return true;
}

/* post: the slot that holds the symbol of that name, or the free one where it belongs. */
static value *find_slot(struct vm *vm, value name, uint64_t hash) {
  size_t mask = vm->symbol_capacity - 1;
  for (size_t i = hash & mask;; i = (i + 1) & mask) {
    value symbol = vm->symbols[i];
    if (symbol == 0)
      return &vm->symbols[i];
    if (symbol_of(symbol)->hash == hash && same_string(symbol_of(symbol)->name, name))
      return &vm->symbols[i];
  }
}

static bool grow_table(struct vm *vm) {
  size_t old_capacity = vm->symbol_capacity;
  size_t capacity = old_capacity ? old_capacity * 2 : 1024;
  value *symbols = calloc(capacity, sizeof *symbols);
  if (!symbols)
    return false;
  value *old = vm->symbols;
  vm->symbols = symbols;
  vm->symbol_capacity = capacity;
  for (size_t i = 0; i < old_capacity; i++) {
    if (old[i] == 0)
      continue;
    *find_slot(vm, symbol_of(old[i])->name, symbol_of(old[i])->hash) = old[i];
  }
  free(old);
  return true;
}

/* The symbol whose name is `string`, which must not be changed afterwards. */
static value intern_fixed(struct vm *vm, value string) {
  if (vm->symbol_count * 2 >= vm->symbol_capacity && !grow_table(vm))
    return out_of_memory(vm);
  uint64_t hash = hash_string(string);
  value *slot = find_slot(vm, string, hash);
  if (*slot)
    return *slot;
  SCHEME_FRAME(vm, string);
  struct symbol *symbol = heap_allocate(vm, KIND_SYMBOL);
  SCHEME_END(vm);
  if (!symbol)
    return FAIL;
  heap_store(vm, symbol, &symbol->name, string);
  symbol->hash = hash;
  *slot = tagged(symbol, TAG_OBJECT);
  vm->symbol_count++;
  return *slot;
}

value intern_bytes(struct vm *vm, const char *name, size_t size) {
  value string = make_string_from_bytes(vm, name, size);
  return string == FAIL ? FAIL : intern_fixed(vm, string);
}

value intern(struct vm *vm, const char *name) { return intern_bytes(vm, name, strlen(name)); }

value intern_string(struct vm *vm, value string) {
  if (vm->symbol_capacity) {
    value *slot = find_slot(vm, string, hash_string(string));
    if (*slot)
      return *slot;
  }
  SCHEME_FRAME(vm, string);
  value copy = make_string(vm, string_of(string)->length, (int)string_of(string)->width);
  SCHEME_END(vm);
  if (copy == FAIL)
    return FAIL;
  memcpy(object_of(string_of(copy)->body), object_of(string_of(string)->body),
         (size_t)(string_of(string)->length * string_of(string)->width));
  return intern_fixed(vm, copy);
}

/* A chunk of globals is one root while the interpreter is filled. The program's globals are a root each, with the name
 * of the variable: that is what a report of the heap's then says. */
static struct global_chunk *add_chunk(struct vm *vm, bool is_range) {
  struct global_chunk *chunk = calloc(1, sizeof *chunk);
  if (!chunk)
    return NULL;
  size_t words = sizeof chunk->globals / (sizeof(value));
  if (is_range && midden_root_range_add(vm->heap, chunk->globals, words) != MIDDEN_OK) {
    free(chunk);
    return NULL;
  }
  chunk->is_range = is_range;
  chunk->next = vm->globals;
  vm->globals = chunk;
  return chunk;
}

/* Registers the content and the symbol. */
static bool add_named_root(struct vm *vm, struct global *global, value symbol) {
  size_t size;
  global->name = string_text(symbol_of(symbol)->name, &size);
  if (global->name && midden_root_range_add(vm->heap, &global->content, 2) == MIDDEN_OK) {
    midden_root_name(vm->heap, &global->content, global->name);
    return true;
  }
  free(global->name);
  global->name = NULL;
  return false;
}

struct global *global_of(struct vm *vm, value symbol) {
  struct symbol *object = symbol_of(symbol);
  if (object->global)
    return object->global;
  struct global_chunk *chunk = vm->globals;
  if (!chunk || chunk->used == sizeof chunk->globals / sizeof chunk->globals[0] || chunk->is_range == vm->is_booted)
    chunk = add_chunk(vm, !vm->is_booted);
  if (!chunk)
    return NULL;
  struct global *global = &chunk->globals[chunk->used];
  if (!chunk->is_range && !add_named_root(vm, global, symbol))
    return NULL;
  chunk->used++;
  global->content = UNDEFINED;
  global->symbol = symbol;
  object->global = global;
  return global;
}

static bool name_is(value string, const char *name, size_t length) {
  if (string_of(string)->length != (int64_t)length)
    return false;
  for (size_t i = 0; i < length; i++)
    if (string_get(string, (int64_t)i) != (unsigned char)name[i])
      return false;
  return true;
}

struct global *global_find(struct vm *vm, const char *name) {
  size_t length = strlen(name), mask = vm->symbol_capacity - 1;
  uint64_t hash = hash_bytes(name, length);
  for (size_t i = hash & mask; vm->symbols[i]; i = (i + 1) & mask) {
    const struct symbol *symbol = symbol_of(vm->symbols[i]);
    if (symbol->hash == hash && name_is(symbol->name, name, length))
      return symbol->global;
  }
  return NULL;
}

void global_forget_builtin(struct global *global) {
  global->builtin = NULL;
  global->inlined = make_fixnum(INLINE_NOTHING);
}

void symbol_table_close(struct vm *vm) {
  free(vm->symbols);
  while (vm->globals) {
    struct global_chunk *next = vm->globals->next;
    for (size_t i = 0; i < vm->globals->used; i++)
      free(vm->globals->globals[i].name);
    free(vm->globals);
    vm->globals = next;
  }
}
