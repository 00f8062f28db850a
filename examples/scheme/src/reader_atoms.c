/* The reader: tokens, atoms, and what starts with #. */
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "numbers.h"
#include "reader_internal.h"
#include "unicode.h"

/* ---- Tokens ---- */
bool reader_add(struct reader *reader, uint32_t character) {
  if (reader->token_size + 4 >= reader->token_capacity) {
    size_t capacity = reader->token_capacity ? reader->token_capacity * 2 : 128;
    char *token = realloc(reader->token, capacity);
    if (!token)
      return false;
    reader->token = token;
    reader->token_capacity = capacity;
  }
  reader->token_size += utf8_encode(character, reader->token + reader->token_size);
  reader->token[reader->token_size] = 0;
  return true;
}

static bool is_delimiter(int32_t c) {
  return c == PORT_EOF || character_is_space((uint32_t)c) || c == '(' || c == ')' || c == '[' || c == ']' ||
         c == '"' || c == ';' || c == '\'' || c == '`' || c == ',';
}

bool reader_read_token(struct reader *reader) {
  while (!is_delimiter(port_peek(reader->port)))
    if (!reader_add(reader, (uint32_t)port_read(reader->port)))
      return false;
  return true;
}

static enum outcome skip_block_comment(struct reader *reader) {
  int depth = 1;
  while (depth) {
    int32_t c = port_read(reader->port);
    if (c == PORT_EOF)
      return reader_fail(reader, "unfinished comment");
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
enum outcome reader_atom(struct reader *reader, value *datum) {
  struct scanned_number number;
  if (reader->token_size < 200 && number_scan(reader->token, reader->token_size, 10, &number)) {
    if (!number.exact)
      *datum = make_flonum(reader->vm, number.number);
    else if (number.overflow)
      return reader_fail(reader, "integer out of range");
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
  case 'n':
    *character = '\n';
    return true;
  case 't':
    *character = '\t';
    return true;
  case 'r':
    *character = '\r';
    return true;
  case 'a':
    *character = 7;
    return true;
  case 'b':
    *character = 8;
    return true;
  case '0':
    *character = 0;
    return true;
  case 'x':
  case 'X':
    *character = 0;
    for (c = port_read(reader->port); c != ';'; c = port_read(reader->port)) {
      struct scanned_number digit;
      char text = (char)c;
      if (c < 0 || c > 0x7f || !number_scan(&text, 1, 16, &digit) || *character > 0xfffff)
        return false;
      *character = *character * 16 + (uint32_t)digit.integer;
    }
    return true;
  case PORT_EOF:
    return false;
  default:
    break;
  }
  if (c == '\n' || c == ' ' || c == '\t') {
    while (c == ' ' || c == '\t')
      c = port_read(reader->port);
    if (c != '\n')
      return false;
    while (port_peek(reader->port) == ' ' || port_peek(reader->port) == '\t')
      port_read(reader->port);
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
    if (c == PORT_EOF)
      return reader_fail(reader, "unfinished string");
    if (c == quote)
      return OUTCOME_DATUM;
    uint32_t character = (uint32_t)c;
    bool skipped = false;
    if (c == '\\' && !escape(reader, &skipped, &character))
      return reader_fail(reader, "unknown escape in a string");
    if (!skipped && !reader_add(reader, character))
      return reader_no_memory(reader);
  }
}

static enum outcome read_character(struct reader *reader, value *datum) {
  static const struct {
    const char *name;
    uint32_t character;
  } names[] = {{"space", ' '}, {"newline", '\n'}, {"tab", '\t'},    {"return", '\r'}, {"null", 0},
               {"nul", 0},     {"alarm", 7},      {"backspace", 8}, {"delete", 0x7f}, {"rubout", 0x7f},
               {"escape", 27}, {"altmode", 27},   {"linefeed", 10}, {"page", 12}};
  int32_t first = port_read(reader->port);
  if (first == PORT_EOF)
    return reader_fail(reader, "unfinished character");
  if (!reader_add(reader, (uint32_t)first) || !reader_read_token(reader))
    return reader_no_memory(reader);
  uint32_t character;
  size_t length = utf8_decode((const unsigned char *)reader->token, reader->token_size, &character);
  if (length == reader->token_size) {
    *datum = make_character(character);
    return OUTCOME_DATUM;
  }
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (strcmp(names[i].name, reader->token))
      continue;
    *datum = make_character(names[i].character);
    return OUTCOME_DATUM;
  }
  struct scanned_number number;
  if (reader->token[0] == 'x' && number_scan(reader->token + 1, reader->token_size - 1, 16, &number) &&
      number.exact && !number.overflow && number.integer >= 0 && number.integer <= 0x10ffff) {
    *datum = make_character((uint32_t)number.integer);
    return OUTCOME_DATUM;
  }
  return reader_fail(reader, "unknown character name");
}

/* #0=datum and #0# */
static enum outcome read_label(struct reader *reader, value *datum) {
  int64_t label = 0;
  int32_t c = port_read(reader->port);
  for (; c >= '0' && c <= '9' && label < 1000000; c = port_read(reader->port))
    label = label * 10 + (c - '0');
  if (c == '=') {
    /* The datum does not exist yet: a fresh pair stands for it, and is replaced at the end. */
    value stand_in = make_pair(reader->vm, UNDEFINED, UNDEFINED);
    if (stand_in == FAIL)
      return OUTCOME_FAILED;
    value entry = make_pair(reader->vm, make_fixnum(label), stand_in);
    value list = entry == FAIL ? FAIL : make_pair(reader->vm, entry, reader->values->items[reader->labels]);
    if (list == FAIL)
      return OUTCOME_FAILED;
    reader->values->items[reader->labels] = list;
    if (reader_open_level(reader, LEVEL_LABEL, NIL) == OUTCOME_FAILED)
      return OUTCOME_FAILED;
    reader->levels[reader->count - 1].label = label;
    return OUTCOME_NOTHING;
  }
  for (value rest = reader->values->items[reader->labels]; c == '#' && is_pair(rest); rest = cdr(rest)) {
    if (car(car(rest)) != make_fixnum(label))
      continue;
    *datum = cdr(car(rest));
    return OUTCOME_DATUM;
  }
  return reader_fail(reader, "unknown label");
}

enum outcome reader_read_hash(struct reader *reader, value *datum) {
  int32_t c = port_peek(reader->port);
  if (c == '(') {
    port_read(reader->port);
    return reader_open_level(reader, LEVEL_VECTOR, NIL);
  }
  if (c == '\\') {
    port_read(reader->port);
    return read_character(reader, datum);
  }
  if (c == ';') {
    port_read(reader->port);
    return reader_open_level(reader, LEVEL_COMMENT, NIL);
  }
  if (c == '|') {
    port_read(reader->port);
    return skip_block_comment(reader);
  }
  if (c >= '0' && c <= '9')
    return read_label(reader, datum);
  if (!reader_add(reader, '#') || !reader_read_token(reader))
    return reader_no_memory(reader);
  const char *token = reader->token;
  if (!strcmp(token, "#u8") && port_peek(reader->port) == '(') {
    port_read(reader->port);
    return reader_open_level(reader, LEVEL_BYTEVECTOR, NIL);
  }
  if (!strcmp(token, "#t") || !strcmp(token, "#T") || !strcmp(token, "#true"))
    *datum = TRUE_VALUE;
  else if (!strcmp(token, "#f") || !strcmp(token, "#F") || !strcmp(token, "#false"))
    *datum = FALSE_VALUE;
  else if (token[1] == '!')
    return OUTCOME_NOTHING; /* #!fold-case and the like, and #! lines of one word */
  else if (strchr("xXbBoOdDeEiI", token[1]) && token[1])
    return reader_atom(reader, datum);
  else
    return reader_fail(reader, "unknown # syntax");
  return OUTCOME_DATUM;
}

enum outcome reader_read_symbol_in_bars(struct reader *reader, value *datum) {
  enum outcome outcome = read_quoted(reader, '|');
  if (outcome != OUTCOME_DATUM)
    return outcome;
  *datum = intern_bytes(reader->vm, reader->token ? reader->token : "", reader->token_size);
  return *datum == FAIL ? OUTCOME_FAILED : OUTCOME_DATUM;
}

enum outcome reader_read_string(struct reader *reader, value *datum) {
  enum outcome outcome = read_quoted(reader, '"');
  if (outcome != OUTCOME_DATUM)
    return outcome;
  *datum = make_string_from_bytes(reader->vm, reader->token ? reader->token : "", reader->token_size);
  return *datum == FAIL ? OUTCOME_FAILED : OUTCOME_DATUM;
}
