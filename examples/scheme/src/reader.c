/* The reader.
 *
 * No recursion: what is unfinished is on a stack of levels, and the values that belong to a level
 * are in vm->temporaries, where the heap scans them. A list under construction is its first and
 * its last pair. */
#include "reader_internal.h"

#include <stdlib.h>
#include <string.h>

#include "address_table.h"
#include "errors.h"
#include "heap.h"
#include "unicode.h"

enum outcome reader_fail(struct reader *reader, const char *message) {
  char text[128];
  snprintf(text, sizeof text, "read: %s in line %ld", message, (long)reader->port->line);
  raise_error(reader->vm, CONDITION_READ, text, 0, NULL);
  return OUTCOME_FAILED;
}

enum outcome reader_no_memory(struct reader *reader) {
  out_of_memory(reader->vm);
  return OUTCOME_FAILED;
}

enum outcome reader_open_level(struct reader *reader, enum level_kind kind, value first) {
  if (reader->count == reader->capacity) {
    size_t capacity = reader->capacity ? reader->capacity * 2 : 32;
    struct level *levels = realloc(reader->levels, capacity * sizeof *levels);
    if (!levels)
      return reader_no_memory(reader);
    reader->levels = levels;
    reader->capacity = capacity;
  }
  reader->levels[reader->count++] = (struct level){kind, reader->values->count, 0};
  if (!value_stack_push(reader->values, first) || !value_stack_push(reader->values, NIL))
    return reader_no_memory(reader);
  return OUTCOME_NOTHING;
}

static enum outcome read_prefix(struct reader *reader, const char *name) {
  value symbol = intern(reader->vm, name);
  return symbol == FAIL ? OUTCOME_FAILED : reader_open_level(reader, LEVEL_QUOTE, symbol);
}

/* ---- Levels ---- */
/* Replaces a label's stand-in by the datum, wherever it was used below `datum`. Data with finished
 * labels inside may be circular, so what was visited is remembered. */
static bool replace(struct reader *reader, value stand_in, value datum) {
  struct value_stack *stack = reader->values;
  struct address_table visited = {0};
  size_t base = stack->count;
  bool complete = value_stack_push(stack, datum);
  while (complete && stack->count > base) {
    value v = stack->items[--stack->count];
    int64_t parts = is_pair(v) ? 2 : is_vector(v) ? vector_length(v) : 0;
    if (parts == 0)
      continue;
    struct address_entry *entry = address_table_enter(&visited, v);
    complete = entry != NULL;
    if (!complete || entry->number)
      continue;
    entry->number = 1;
    for (int64_t i = 0; i < parts && complete; i++) {
      value *slot = is_pair(v) ? (i ? &pair_of(v)->cdr : &pair_of(v)->car) : &vector_of(v)->items[i];
      if (*slot == stand_in)
        heap_store(reader->vm, untagged(v), slot, datum);
      else
        complete = value_stack_push(stack, *slot);
    }
  }
  stack->count = base;
  address_table_close(&visited);
  return complete;
}

static enum outcome finish_label(struct reader *reader, struct level level, value *datum) {
  for (value rest = reader->values->items[reader->labels]; is_pair(rest); rest = cdr(rest)) {
    value entry = car(rest);
    if (car(entry) != make_fixnum(level.label))
      continue;
    value stand_in = cdr(entry);
    heap_store(reader->vm, pair_of(entry), &pair_of(entry)->cdr, *datum);
    return replace(reader, stand_in, *datum) ? OUTCOME_DATUM : reader_no_memory(reader);
  }
  return OUTCOME_DATUM;
}

static enum outcome append(struct reader *reader, const struct level *level, value datum) {
  value pair = make_pair(reader->vm, datum, NIL);
  if (pair == FAIL)
    return OUTCOME_FAILED;
  value *ends = &reader->values->items[level->values];
  if (ends[0] == NIL) {
    ends[0] = pair;
  } else {
    struct pair *last = pair_of(ends[1]);
    heap_store(reader->vm, last, &last->cdr, pair);
  }
  ends[1] = pair;
  return OUTCOME_NOTHING;
}

/* Hands a finished datum to the innermost level. OUTCOME_DATUM: *datum is finished in turn (or, with
 * no level open, the whole). */
static enum outcome hand_over(struct reader *reader, value *datum) {
  struct level *level = &reader->levels[reader->count - 1];
  switch (level->kind) {
  case LEVEL_LIST:
  case LEVEL_VECTOR:
  case LEVEL_BYTEVECTOR:
    return append(reader, level, *datum);
  case LEVEL_TAIL: {
    struct pair *last = pair_of(reader->values->items[level->values + 1]);
    heap_store(reader->vm, last, &last->cdr, *datum);
    level->kind = LEVEL_CLOSE;
    return OUTCOME_NOTHING;
  }
  case LEVEL_CLOSE:
    return reader_fail(reader, "more than one datum after a dot");
  default:
    break;
  }
  struct level closed = *level;
  value first = reader->values->items[closed.values];
  reader->count--;
  reader->values->count = closed.values;
  if (closed.kind == LEVEL_COMMENT)
    return OUTCOME_NOTHING;
  if (closed.kind == LEVEL_LABEL)
    return finish_label(reader, closed, datum);
  SCHEME_FRAME(reader->vm, first);
  value list = make_pair(reader->vm, *datum, NIL);
  if (list != FAIL)
    list = make_pair(reader->vm, first, list);
  SCHEME_END(reader->vm);
  *datum = list;
  return list == FAIL ? OUTCOME_FAILED : OUTCOME_DATUM;
}

static enum outcome close_bytevector(struct reader *reader, value list, int64_t length, value *datum) {
  SCHEME_FRAME(reader->vm, list);
  value bytes = make_bytevector(reader->vm, length, 0);
  SCHEME_END(reader->vm);
  if (bytes == FAIL)
    return OUTCOME_FAILED;
  for (int64_t i = 0; i < length; i++, list = cdr(list)) {
    if (!is_index(car(list), 256))
      return reader_fail(reader, "not a byte");
    bytevector_of(bytes)->data[i] = (uint8_t)fixnum_of(car(list));
  }
  *datum = bytes;
  return OUTCOME_DATUM;
}

static enum outcome close_vector(struct reader *reader, value list, int64_t length, value *datum) {
  SCHEME_FRAME(reader->vm, list);
  value vector = make_vector(reader->vm, length, FALSE_VALUE);
  SCHEME_END(reader->vm);
  if (vector == FAIL)
    return OUTCOME_FAILED;
  struct vector *object = vector_of(vector);
  for (int64_t i = 0; i < length; i++, list = cdr(list))
    heap_store(reader->vm, object, &object->items[i], car(list));
  *datum = vector;
  return OUTCOME_DATUM;
}

static enum outcome close_level(struct reader *reader, value *datum) {
  if (reader->count == 0)
    return OUTCOME_NOTHING; /* a stray ) is skipped, as most readers do */
  struct level closed = reader->levels[reader->count - 1];
  if (closed.kind == LEVEL_TAIL)
    return reader_fail(reader, "no datum after a dot");
  if (closed.kind == LEVEL_QUOTE || closed.kind == LEVEL_COMMENT || closed.kind == LEVEL_LABEL)
    return reader_fail(reader, "a datum is missing");
  value list = reader->values->items[closed.values];
  reader->count--;
  reader->values->count = closed.values;
  if (closed.kind == LEVEL_LIST || closed.kind == LEVEL_CLOSE) {
    *datum = list;
    return OUTCOME_DATUM;
  }
  int64_t length = 0;
  for (value rest = list; is_pair(rest); rest = cdr(rest))
    length++;
  return closed.kind == LEVEL_VECTOR ? close_vector(reader, list, length, datum)
                                     : close_bytevector(reader, list, length, datum);
}

static enum outcome read_plain(struct reader *reader, int32_t first, value *datum) {
  if (!reader_add(reader, (uint32_t)first) || !reader_read_token(reader))
    return reader_no_memory(reader);
  if (strcmp(reader->token, "."))
    return reader_atom(reader, datum);
  struct level *level = reader->count ? &reader->levels[reader->count - 1] : NULL;
  if (!level || level->kind != LEVEL_LIST || reader->values->items[level->values] == NIL)
    return reader_fail(reader, "a dot in the wrong place");
  level->kind = LEVEL_TAIL;
  return OUTCOME_NOTHING;
}

static enum outcome read_next(struct reader *reader, int32_t c, value *datum) {
  reader->token_size = 0;
  switch (c) {
  case '(':
  case '[':
    return reader_open_level(reader, LEVEL_LIST, NIL);
  case ')':
  case ']':
    return close_level(reader, datum);
  case '\'':
    return read_prefix(reader, "quote");
  case '`':
    return read_prefix(reader, "quasiquote");
  case ',':
    if (port_peek(reader->port) != '@')
      return read_prefix(reader, "unquote");
    port_read(reader->port);
    return read_prefix(reader, "unquote-splicing");
  case '"':
    return reader_read_string(reader, datum);
  case '|':
    return reader_read_symbol_in_bars(reader, datum);
  case '#':
    return reader_read_hash(reader, datum);
  default:
    return read_plain(reader, c, datum);
  }
}

/* Skips what stands between data. post: the next character, read. */
static int32_t next_character(struct reader *reader) {
  for (;;) {
    int32_t c = port_read(reader->port);
    if (c == ';')
      while (c != '\n' && c != PORT_EOF)
        c = port_read(reader->port);
    if (c == PORT_EOF || !character_is_space((uint32_t)c))
      return c;
  }
}

static value read_whole(struct reader *reader) {
  for (;;) {
    int32_t c = next_character(reader);
    if (c == PORT_EOF && reader->count == 0)
      return EOF_VALUE;
    value datum = FALSE_VALUE;
    enum outcome outcome =
        c == PORT_EOF ? reader_fail(reader, "unexpected end of input") : read_next(reader, c, &datum);
    while (outcome == OUTCOME_DATUM) {
      if (reader->count == 0)
        return datum;
      outcome = hand_over(reader, &datum);
    }
    if (outcome == OUTCOME_FAILED)
      return FAIL;
  }
}

value read_datum(struct vm *vm, struct port *port) {
  struct reader reader = {.vm = vm, .port = port, .values = &vm->temporaries};
  size_t base = vm->temporaries.count;
  reader.labels = base;
  value result = value_stack_push(reader.values, NIL) ? read_whole(&reader) : out_of_memory(vm);
  vm->temporaries.count = base;
  free(reader.levels);
  free(reader.token);
  return result;
}
