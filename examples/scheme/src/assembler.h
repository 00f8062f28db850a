/* Assembling one procedure: instructions with labels, finished into a code object. */
#ifndef SCHEME_ASSEMBLER_H
#define SCHEME_ASSEMBLER_H

#include "vm.h"

/* Until it is finished, an instruction's first word holds its opcode and a jump's offset the
 * number of its label. */
struct assembler {
  union word *words;
  size_t count, capacity;
  size_t *constants; /* indices into vm->temporaries, where the heap finds them */
  size_t constant_count, constant_capacity;
  struct label {
    int64_t position;
    bool used;
  } * labels;
  size_t label_count, label_capacity;
  size_t last;       /* position of the last instruction, or count if there is none to look at */
  size_t bound_here; /* a label was bound at this position */
  bool failed;       /* no host memory: reported by assembler_finish */
};

void assembler_open(struct assembler *assembler);
void assembler_close(struct assembler *assembler);

/* Returns the position of the instruction. */
size_t assembler_emit(struct assembler *assembler, enum opcode opcode, unsigned a, unsigned b, unsigned c,
                      unsigned d);
size_t assembler_jump(struct assembler *assembler, enum opcode opcode, unsigned a, unsigned b, int label);
void assembler_word(struct assembler *assembler, union word word);
int assembler_label(struct assembler *assembler);
void assembler_bind(struct assembler *assembler, int label);
bool assembler_label_used(const struct assembler *assembler, int label); /* by a jump, so far */
/* The index, in the procedure's constants, of the value at `index` of vm->temporaries. */
int64_t assembler_constant(struct assembler *assembler, size_t index);

/* The ENTER_LARGE at the start is kept, and told the size, for frames above `small`; else it goes. */
void assembler_set_frame(struct assembler *assembler, int size, int small);

/* Makes the code object. `name` is a symbol or #f. post: it, or FAIL. MAY COLLECT AND MOVE. */
value assembler_finish(struct vm *vm, struct assembler *assembler, value name, int64_t arity,
                       int64_t frame_size);

/* Prints a procedure's instructions. */
void disassemble(struct vm *vm, value code, FILE *file);

#endif
