/* The reader.
 *
 * No recursion: what is unfinished is on a stack of levels, and the values that belong to a level
 * are in vm->temporaries, where the heap scans them. A list under construction is its first and
 * its last pair. */
#include "reader.h"

#include <stdlib.h>
#include <string.h>

#include "address_table.h"
#include "errors.h"
#include "heap.h"
#include "numbers.h"
#include "unicode.h"

enum level_kind {
  LEVEL_LIST,
  LEVEL_TAIL,       /* after the dot */
  LEVEL_CLOSE,      /* after the tail: only ) may come */
  LEVEL_VECTOR,
  LEVEL_BYTEVECTOR,
  LEVEL_QUOTE,      /* 'x and its like; the symbol is the level's value */
  LEVEL_COMMENT,    /* #; */
  LEVEL_LABEL       /* #n= */
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

static enum outcome fail(struct reader *reader, const char *message) {
  char text[128];
  snprintf(text, sizeof text, "read: %s in line %ld", message, (long)reader->port->line);
  raise_error(reader->vm, CONDITION_READ, text, 0, NULL);
  return OUTCOME_FAILED;
}

static enum outcome no_memory(struct reader *reader) {
  out_of_memory(reader->vm);
  return OUTCOME_FAILED;
}

static enum outcome open_level(struct reader *reader, enum level_kind kind, value first) {
  if (reader->count == reader->capacity) {
    size_t capacity = reader->capacity ? reader->capacity * 2 : 32;
    struct level *levels = realloc(reader->levels, capacity * sizeof *levels);
    if (!levels) return no_memory(reader);
    reader->levels = levels;
    reader->capacity = capacity;
  }
  reader->levels[reader->count++] = (struct level){kind, reader->values->count, 0};
  if (!value_stack_push(reader->values, first) || !value_stack_push(reader->values, NIL)) return no_memory(reader);
  return OUTCOME_NOTHING;
}

/* ---- Tokens ---- */
static bool add(struct reader *reader, uint32_t character) {
  if (reader->token_size + 4 >= reader->token_capacity) {
    size_t capacity = reader->token_capacity ? reader->token_capacity * 2 : 128;
    char *token = realloc(reader->token, capacity);
    if (!token) return false;
    reader->token = token;
    reader->token_capacity = capacity;
  }
  reader->token_size += utf8_encode(character, reader->token + reader->token_size);
  reader->token[reader->token_size] = 0;
  return true;
}

static bool is_delimiter(int32_t c) {
  return c == PORT_EOF || character_is_space((uint32_t)c) || c == '(' || c == ')' || c == '[' || c == ']' || c == '"' || c == ';' || c == '\'' ||
         c == '`' || c == ',';
}

static bool read_token(struct reader *reader) {
  while (!is_delimiter(port_peek(reader->port)))
    if (!add(reader, (uint32_t)port_read(reader->port))) return false;
  return true;
}

static enum outcome skip_block_comment(struct reader *reader) {
  int depth = 1;
  while (depth) {
    int32_t c = port_read(reader->port);
    if (c == PORT_EOF) return fail(reader, "unfinished comment");
    if (c == '|' && port_peek(reader->port) == '#') {
      port_read(reader->port);
      depth--;
    } else if (c == '#' && port_peek(reader->port) == '|') {
      port_read(reader->port);
      depth++;
    }
  }
  return OUTCOME_NOTHING;
}

/* ---- Atoms ---- */
static enum outcome atom(struct reader *reader, value *datum) {
  struct scanned_number number;
  if (reader->token_size < 200 && number_scan(reader->token, reader->token_size, 10, &number)) {
    if (!number.exact)
      *datum = make_flonum(reader->vm, number.number);
    else if (number.overflow)
      return fail(reader, "integer out of range");
    else
      *datum = make_fixnum(number.integer);
  } else {
    *datum = intern_bytes(reader->vm, reader->token, reader->token_size);
  }
  return *datum == FAIL ? OUTCOME_FAILED : OUTCOME_DATUM;
}

/* \n \t \x41; and so on, and a line end with the blanks around it. post: false: not understood. */
static bool escape(struct reader *reader, bool *skipped, uint32_t *character) {
  int32_t c = port_read(reader->port);
  *skipped = false;
  switch (c) {
    case 'n': *character = '\n'; return true;
    case 't': *character = '\t'; return true;
    case 'r': *character = '\r'; return true;
    case 'a': *character = 7; return true;
    case 'b': *character = 8; return true;
    case '0': *character = 0; return true;
    case 'x':
    case 'X':
      *character = 0;
      for (c = port_read(reader->port); c != ';'; c = port_read(reader->port)) {
        struct scanned_number digit;
        char text = (char)c;
        if (c < 0 || c > 0x7f || !number_scan(&text, 1, 16, &digit) || *character > 0xfffff) return false;
        *character = *character * 16 + (uint32_t)digit.integer;
      }
      return true;
    case PORT_EOF: return false;
    default: break;
  }
  if (c == '\n' || c == ' ' || c == '\t') {
    while (c == ' ' || c == '\t') c = port_read(reader->port);
    if (c != '\n') return false;
    while (port_peek(reader->port) == ' ' || port_peek(reader->port) == '\t') port_read(reader->port);
    *skipped = true;
    return true;
  }
  *character = (uint32_t)c;
  return true;
}

/* What stands between two `quote` characters, into the token. */
static enum outcome read_quoted(struct reader *reader, int32_t quote) {
  for (;;) {
    int32_t c = port_read(reader->port);
    if (c == PORT_EOF) return fail(reader, "unfinished string");
    if (c == quote) return OUTCOME_DATUM;
    uint32_t character = (uint32_t)c;
    bool skipped = false;
    if (c == '\\' && !escape(reader, &skipped, &character)) return fail(reader, "unknown escape in a string");
    if (!skipped && !add(reader, character)) return no_memory(reader);
  }
}

static enum outcome read_character(struct reader *reader, value *datum) {
  static const struct {
    const char *name;
    uint32_t character;
  } names[] = {{"space", ' '},   {"newline", '\n'}, {"tab", '\t'},    {"return", '\r'}, {"null", 0},   {"nul", 0},
               {"alarm", 7},     {"backspace", 8},  {"delete", 0x7f}, {"rubout", 0x7f}, {"escape", 27}, {"altmode", 27},
               {"linefeed", 10}, {"page", 12}};
  int32_t first = port_read(reader->port);
  if (first == PORT_EOF) return fail(reader, "unfinished character");
  if (!add(reader, (uint32_t)first) || !read_token(reader)) return no_memory(reader);
  uint32_t character;
  size_t length = utf8_decode((const unsigned char *)reader->token, reader->token_size, &character);
  if (length == reader->token_size) {
    *datum = make_character(character);
    return OUTCOME_DATUM;
  }
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (strcmp(names[i].name, reader->token)) continue;
    *datum = make_character(names[i].character);
    return OUTCOME_DATUM;
  }
  struct scanned_number number;
  if (reader->token[0] == 'x' && number_scan(reader->token + 1, reader->token_size - 1, 16, &number) &&
      number.exact && !number.overflow && number.integer >= 0 && number.integer <= 0x10ffff) {
    *datum = make_character((uint32_t)number.integer);
    return OUTCOME_DATUM;
  }
  return fail(reader, "unknown character name");
}

/* #0=datum and #0# */
static enum outcome read_label(struct reader *reader, value *datum) {
  int64_t label = 0;
  int32_t c = port_read(reader->port);
  for (; c >= '0' && c <= '9' && label < 1000000; c = port_read(reader->port)) label = label * 10 + (c - '0');
  if (c == '=') {
    /* The datum does not exist yet: a fresh pair stands for it, and is replaced at the end. */
    value stand_in = make_pair(reader->vm, UNDEFINED, UNDEFINED);
    if (stand_in == FAIL) return OUTCOME_FAILED;
    value entry = make_pair(reader->vm, make_fixnum(label), stand_in);
    value list = entry == FAIL ? FAIL : make_pair(reader->vm, entry, reader->values->items[reader->labels]);
    if (list == FAIL) return OUTCOME_FAILED;
    reader->values->items[reader->labels] = list;
    if (open_level(reader, LEVEL_LABEL, NIL) == OUTCOME_FAILED) return OUTCOME_FAILED;
    reader->levels[reader->count - 1].label = label;
    return OUTCOME_NOTHING;
  }
  for (value rest = reader->values->items[reader->labels]; c == '#' && is_pair(rest); rest = cdr(rest)) {
    if (car(car(rest)) != make_fixnum(label)) continue;
    *datum = cdr(car(rest));
    return OUTCOME_DATUM;
  }
  return fail(reader, "unknown label");
}

static enum outcome read_hash(struct reader *reader, value *datum) {
  int32_t c = port_peek(reader->port);
  if (c == '(') {
    port_read(reader->port);
    return open_level(reader, LEVEL_VECTOR, NIL);
  }
  if (c == '\\') {
    port_read(reader->port);
    return read_character(reader, datum);
  }
  if (c == ';') {
    port_read(reader->port);
    return open_level(reader, LEVEL_COMMENT, NIL);
  }
  if (c == '|') {
    port_read(reader->port);
    return skip_block_comment(reader);
  }
  if (c >= '0' && c <= '9') return read_label(reader, datum);
  if (!add(reader, '#') || !read_token(reader)) return no_memory(reader);
  const char *token = reader->token;
  if (!strcmp(token, "#u8") && port_peek(reader->port) == '(') {
    port_read(reader->port);
    return open_level(reader, LEVEL_BYTEVECTOR, NIL);
  }
  if (!strcmp(token, "#t") || !strcmp(token, "#true")) *datum = TRUE_VALUE;
  else if (!strcmp(token, "#f") || !strcmp(token, "#false")) *datum = FALSE_VALUE;
  else if (token[1] == '!') return OUTCOME_NOTHING; /* #!fold-case and the like, and #! lines of one word */
  else if (strchr("xXbBoOdDeEiI", token[1]) && token[1]) return atom(reader, datum);
  else return fail(reader, "unknown # syntax");
  return OUTCOME_DATUM;
}

static enum outcome read_prefix(struct reader *reader, const char *name) {
  value symbol = intern(reader->vm, name);
  return symbol == FAIL ? OUTCOME_FAILED : open_level(reader, LEVEL_QUOTE, symbol);
}

static enum outcome read_symbol_in_bars(struct reader *reader, value *datum) {
  enum outcome outcome = read_quoted(reader, '|');
  if (outcome != OUTCOME_DATUM) return outcome;
  *datum = intern_bytes(reader->vm, reader->token ? reader->token : "", reader->token_size);
  return *datum == FAIL ? OUTCOME_FAILED : OUTCOME_DATUM;
}

static enum outcome read_string(struct reader *reader, value *datum) {
  enum outcome outcome = read_quoted(reader, '"');
  if (outcome != OUTCOME_DATUM) return outcome;
  *datum = make_string_from_bytes(reader->vm, reader->token ? reader->token : "", reader->token_size);
  return *datum == FAIL ? OUTCOME_FAILED : OUTCOME_DATUM;
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
    if (parts == 0) continue;
    struct address_entry *entry = address_table_enter(&visited, v);
    complete = entry != NULL;
    if (!complete || entry->number) continue;
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
    if (car(entry) != make_fixnum(level.label)) continue;
    value stand_in = cdr(entry);
    heap_store(reader->vm, pair_of(entry), &pair_of(entry)->cdr, *datum);
    return replace(reader, stand_in, *datum) ? OUTCOME_DATUM : no_memory(reader);
  }
  return OUTCOME_DATUM;
}

static enum outcome append(struct reader *reader, const struct level *level, value datum) {
  value pair = make_pair(reader->vm, datum, NIL);
  if (pair == FAIL) return OUTCOME_FAILED;
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
    case LEVEL_BYTEVECTOR: return append(reader, level, *datum);
    case LEVEL_TAIL: {
      struct pair *last = pair_of(reader->values->items[level->values + 1]);
      heap_store(reader->vm, last, &last->cdr, *datum);
      level->kind = LEVEL_CLOSE;
      return OUTCOME_NOTHING;
    }
    case LEVEL_CLOSE: return fail(reader, "more than one datum after a dot");
    default: break;
  }
  struct level closed = *level;
  value first = reader->values->items[closed.values];
  reader->count--;
  reader->values->count = closed.values;
  if (closed.kind == LEVEL_COMMENT) return OUTCOME_NOTHING;
  if (closed.kind == LEVEL_LABEL) return finish_label(reader, closed, datum);
  SCHEME_FRAME(reader->vm, first);
  value list = make_pair(reader->vm, *datum, NIL);
  if (list != FAIL) list = make_pair(reader->vm, first, list);
  SCHEME_END(reader->vm);
  *datum = list;
  return list == FAIL ? OUTCOME_FAILED : OUTCOME_DATUM;
}

static enum outcome close_bytevector(struct reader *reader, value list, int64_t length, value *datum) {
  SCHEME_FRAME(reader->vm, list);
  value bytes = make_bytevector(reader->vm, length, 0);
  SCHEME_END(reader->vm);
  if (bytes == FAIL) return OUTCOME_FAILED;
  for (int64_t i = 0; i < length; i++, list = cdr(list)) {
    if (!is_index(car(list), 256)) return fail(reader, "not a byte");
    bytevector_of(bytes)->data[i] = (uint8_t)fixnum_of(car(list));
  }
  *datum = bytes;
  return OUTCOME_DATUM;
}

static enum outcome close_vector(struct reader *reader, value list, int64_t length, value *datum) {
  SCHEME_FRAME(reader->vm, list);
  value vector = make_vector(reader->vm, length, FALSE_VALUE);
  SCHEME_END(reader->vm);
  if (vector == FAIL) return OUTCOME_FAILED;
  struct vector *object = vector_of(vector);
  for (int64_t i = 0; i < length; i++, list = cdr(list)) heap_store(reader->vm, object, &object->items[i], car(list));
  *datum = vector;
  return OUTCOME_DATUM;
}

static enum outcome close_level(struct reader *reader, value *datum) {
  if (reader->count == 0) return OUTCOME_NOTHING; /* a stray ) is skipped, as most readers do */
  struct level closed = reader->levels[reader->count - 1];
  if (closed.kind == LEVEL_TAIL) return fail(reader, "no datum after a dot");
  if (closed.kind == LEVEL_QUOTE || closed.kind == LEVEL_COMMENT || closed.kind == LEVEL_LABEL)
    return fail(reader, "a datum is missing");
  value list = reader->values->items[closed.values];
  reader->count--;
  reader->values->count = closed.values;
  if (closed.kind == LEVEL_LIST || closed.kind == LEVEL_CLOSE) {
    *datum = list;
    return OUTCOME_DATUM;
  }
  int64_t length = 0;
  for (value rest = list; is_pair(rest); rest = cdr(rest)) length++;
  return closed.kind == LEVEL_VECTOR ? close_vector(reader, list, length, datum)
                                     : close_bytevector(reader, list, length, datum);
}

static enum outcome read_plain(struct reader *reader, int32_t first, value *datum) {
  if (!add(reader, (uint32_t)first) || !read_token(reader)) return no_memory(reader);
  if (strcmp(reader->token, ".")) return atom(reader, datum);
  struct level *level = reader->count ? &reader->levels[reader->count - 1] : NULL;
  if (!level || level->kind != LEVEL_LIST || reader->values->items[level->values] == NIL)
    return fail(reader, "a dot in the wrong place");
  level->kind = LEVEL_TAIL;
  return OUTCOME_NOTHING;
}

static enum outcome read_next(struct reader *reader, int32_t c, value *datum) {
  reader->token_size = 0;
  switch (c) {
    case '(': case '[': return open_level(reader, LEVEL_LIST, NIL);
    case ')': case ']': return close_level(reader, datum);
    case '\'': return read_prefix(reader, "quote");
    case '`': return read_prefix(reader, "quasiquote");
    case ',':
      if (port_peek(reader->port) != '@') return read_prefix(reader, "unquote");
      port_read(reader->port);
      return read_prefix(reader, "unquote-splicing");
    case '"': return read_string(reader, datum);
    case '|': return read_symbol_in_bars(reader, datum);
    case '#': return read_hash(reader, datum);
    default: return read_plain(reader, c, datum);
  }
}

/* Skips what stands between data. post: the next character, read. */
static int32_t next_character(struct reader *reader) {
  for (;;) {
    int32_t c = port_read(reader->port);
    if (c == ';')
      while (c != '\n' && c != PORT_EOF) c = port_read(reader->port);
    if (c == PORT_EOF || !character_is_space((uint32_t)c)) return c;
  }
}

static value read_whole(struct reader *reader) {
  for (;;) {
    int32_t c = next_character(reader);
    if (c == PORT_EOF && reader->count == 0) return EOF_VALUE;
    value datum = FALSE_VALUE;
    enum outcome outcome = c == PORT_EOF ? fail(reader, "unexpected end of input") : read_next(reader, c, &datum);
    while (outcome == OUTCOME_DATUM) {
      if (reader->count == 0) return datum;
      outcome = hand_over(reader, &datum);
    }
    if (outcome == OUTCOME_FAILED) return FAIL;
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
