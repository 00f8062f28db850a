/* What the two files of the reader share. */
#ifndef SCHEME_READER_INTERNAL_H
#define SCHEME_READER_INTERNAL_H

#include "reader.h"

enum level_kind {
  LEVEL_LIST,
  LEVEL_TAIL,  /* after the dot */
  LEVEL_CLOSE, /* after the tail: only ) may come */
  LEVEL_VECTOR,
  LEVEL_BYTEVECTOR,
  LEVEL_QUOTE,   /* 'x and its like; the symbol is the level's value */
  LEVEL_COMMENT, /* #; */
  LEVEL_LABEL    /* #n= */
};

struct level {
  enum level_kind kind;
  size_t values; /* index of the level's first value: for lists, the first pair and the last */
  int64_t label;
};

struct reader {
  struct vm *vm;
  struct port *port;
  struct value_stack *values;
  struct level *levels;
  size_t count, capacity;
  char *token;
  size_t token_size, token_capacity;
  size_t labels; /* index of the list ((n . datum) ...) */
};

enum outcome { OUTCOME_DATUM, OUTCOME_NOTHING /* a level was opened, or a comment read */, OUTCOME_FAILED };

enum outcome reader_fail(struct reader *reader, const char *message);
enum outcome reader_no_memory(struct reader *reader);
enum outcome reader_open_level(struct reader *reader, enum level_kind kind, value first);

/* reader_atoms.c. The token starts out with what was read of it. */
bool reader_add(struct reader *reader, uint32_t character);
bool reader_read_token(struct reader *reader);
enum outcome reader_atom(struct reader *reader, value *datum);
enum outcome reader_read_hash(struct reader *reader, value *datum);
enum outcome reader_read_symbol_in_bars(struct reader *reader, value *datum);
enum outcome reader_read_string(struct reader *reader, value *datum);

#endif
