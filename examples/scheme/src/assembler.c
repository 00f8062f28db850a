/* Assembling one procedure, and printing one. */
#include "assembler.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"

static const struct {
  const char *name;
  int words;
  const char *format;
} instructions[OPCODE_COUNT] = {
#define X(name, words, format) [OP_##name] = {#name, words, format},
    OPCODES(X)
#undef X
};

static size_t instruction_size(enum opcode opcode, const union word *instruction) {
  if (opcode == OP_CLOSURE)
    return 3 + ((size_t)instruction[1].r.b + 3) / 4;
  return (size_t)instructions[opcode].words;
}

static bool is_jump(enum opcode opcode) { return strchr(instructions[opcode].format, 'j') != NULL; }

void assembler_open(struct assembler *assembler) {
  *assembler = (struct assembler){0};
  assembler->bound_here = SIZE_MAX;
}

void assembler_close(struct assembler *assembler) {
  free(assembler->words);
  free(assembler->constants);
  free(assembler->labels);
}

/* Makes room for one more element. */
static bool reserve(struct assembler *assembler, void *array, size_t count, size_t *capacity,
                    size_t element) {
  void *items;
  memcpy(&items, array, sizeof items);
  if (count < *capacity)
    return true;
  size_t larger = *capacity ? *capacity * 2 : 32;
  items = realloc(items, larger * element);
  if (!items) {
    assembler->failed = true;
    return false;
  }
  memcpy(array, &items, sizeof items);
  *capacity = larger;
  return true;
}

void assembler_word(struct assembler *assembler, union word word) {
  if (!reserve(assembler, &assembler->words, assembler->count, &assembler->capacity, sizeof word))
    return;
  assembler->words[assembler->count++] = word;
}

size_t assembler_emit(struct assembler *assembler, enum opcode opcode, unsigned a, unsigned b, unsigned c,
                      unsigned d) {
  size_t position = assembler->count;
  assembler->last = position;
  assembler_word(assembler, (union word){.integer = opcode});
  assembler_word(assembler, (union word){.r = {(uint16_t)a, (uint16_t)b, (uint16_t)c, (uint16_t)d}});
  return position;
}

size_t assembler_jump(struct assembler *assembler, enum opcode opcode, unsigned a, unsigned b, int label) {
  size_t position = assembler->count;
  assembler->last = position;
  if (!assembler->failed)
    assembler->labels[label].used = true;
  assembler_word(assembler, (union word){.integer = opcode});
  assembler_word(assembler, (union word){.j = {(uint16_t)a, (uint16_t)b, label}});
  return position;
}

int assembler_label(struct assembler *assembler) {
  if (!reserve(assembler, &assembler->labels, assembler->label_count, &assembler->label_capacity,
               sizeof *assembler->labels))
    return 0;
  assembler->labels[assembler->label_count] = (struct label){-1, false};
  return (int)assembler->label_count++;
}

void assembler_bind(struct assembler *assembler, int label) {
  if (assembler->failed)
    return;
  /* A jump to what follows it directly is dropped. */
  size_t last = assembler->last;
  if (assembler->count >= 2 && last == assembler->count - 2 && assembler->bound_here != assembler->count &&
      assembler->words[last].integer == OP_JUMP && assembler->words[last + 1].j.offset == label) {
    assembler->count = last;
    assembler->last = SIZE_MAX;
  }
  assembler->labels[label].position = (int64_t)assembler->count;
  assembler->bound_here = assembler->count;
}

bool assembler_label_used(const struct assembler *assembler, int label) {
  return !assembler->failed && assembler->labels[label].used;
}

int64_t assembler_constant(struct assembler *assembler, size_t index) {
  for (size_t i = 0; i < assembler->constant_count; i++)
    if (assembler->constants[i] == index)
      return (int64_t)i;
  if (!reserve(assembler, &assembler->constants, assembler->constant_count, &assembler->constant_capacity,
               sizeof *assembler->constants))
    return 0;
  assembler->constants[assembler->constant_count] = index;
  return (int64_t)assembler->constant_count++;
}

void assembler_set_frame(struct assembler *assembler, int size, int small) {
  if (assembler->failed)
    return;
  if (size > small) {
    assembler->words[1].j.offset = size;
    return;
  }
  assembler->count -= 2;
  memmove(assembler->words, assembler->words + 2, assembler->count * sizeof *assembler->words);
  for (size_t i = 0; i < assembler->label_count; i++)
    assembler->labels[i].position -= 2;
}

/* Where a jump to `label` really leads: jumps to jumps are followed, a few steps. */
static int64_t final_target(const struct assembler *assembler, int label) {
  int64_t target = assembler->labels[label].position;
  for (int steps = 0; steps < 8; steps++) {
    const union word *instruction = &assembler->words[target];
    if ((size_t)target >= assembler->count || instruction->integer != OP_JUMP)
      break;
    target = assembler->labels[instruction[1].j.offset].position;
  }
  return target;
}

static void resolve(const struct vm *vm, const struct assembler *assembler, union word *out) {
  for (size_t i = 0; i < assembler->count;) {
    enum opcode opcode = (enum opcode)assembler->words[i].integer;
    size_t size = instruction_size(opcode, &assembler->words[i]);
    memcpy(&out[i], &assembler->words[i], size * sizeof *out);
    out[i].label = vm->labels[opcode];
    if (is_jump(opcode))
      out[i + 1].j.offset = (int32_t)(final_target(assembler, assembler->words[i + 1].j.offset) - (int64_t)i);
    i += size;
  }
}

value assembler_finish(struct vm *vm, struct assembler *assembler, value name, int64_t arity,
                       int64_t frame_size) {
  if (assembler->failed)
    return out_of_memory(vm);
  value constants = FALSE_VALUE;
  SCHEME_FRAME(vm, name, constants);
  constants = make_vector(vm, (int64_t)assembler->constant_count, FALSE_VALUE);
  value result = constants == FAIL ? FAIL : make_code(vm, assembler->count);
  SCHEME_END(vm);
  if (result == FAIL)
    return FAIL;
  struct vector *vector = vector_of(constants);
  for (size_t i = 0; i < assembler->constant_count; i++)
    heap_store(vm, vector, &vector->items[i], vm->temporaries.items[assembler->constants[i]]);
  struct code *code = code_of(result);
  heap_store(vm, code, &code->constants, constants);
  heap_store(vm, code, &code->name, name);
  code->arity = arity;
  code->frame_size = frame_size;
  resolve(vm, assembler, code->instructions);
  return result;
}

/* ---- Disassembler ---- */
static enum opcode opcode_of(const struct vm *vm, const void *label) {
  for (int opcode = 0; opcode < OPCODE_COUNT; opcode++)
    if (vm->labels[opcode] == label)
      return (enum opcode)opcode;
  return OPCODE_COUNT;
}

void disassemble(struct vm *vm, value procedure_code, FILE *file) {
  const struct code *code = code_of(procedure_code);
  fprintf(file, "arity %" PRId64 ", %" PRId64 " registers\n", code->arity, code->frame_size);
  for (int64_t i = 0; i < code->word_count;) {
    const union word *instruction = &code->instructions[i];
    enum opcode opcode = opcode_of(vm, instruction->label);
    if (opcode == OPCODE_COUNT)
      return;
    const char *format = instructions[opcode].format;
    unsigned operands[4] = {instruction[1].r.a, instruction[1].r.b, instruction[1].r.c, instruction[1].r.d};
    fprintf(file, "%5" PRId64 "  %-24s", i, instructions[opcode].name);
    for (int f = 0; format[f] && f < 4 && strchr("riwd.j", format[f]); f++) {
      if (format[f] == 'j') {
        fprintf(file, " ->%" PRId64, i + instruction[1].j.offset);
        break;
      }
      if (format[f] == 'i')
        fprintf(file, " %u", operands[f]);
      if (strchr("rwd", format[f]))
        fprintf(file, " %c%u", format[f], operands[f]);
    }
    size_t size = instruction_size(opcode, instruction);
    for (size_t word = 2; word < size; word++)
      fprintf(file, " [%" PRIx64 "]", (uint64_t)instruction[word].integer);
    fputc('\n', file);
    i += (int64_t)size;
  }
}
