/* Scheme values: one word each, and the heap objects behind them.
 *
 * The low three bits say what a word is. Frequent types have a tag of their own, so that a type
 * test costs no load; all others share TAG_OBJECT, and their kind comes from the heap (the kind
 * lives in the span, so no object has a header).
 *
 *   ..00  fixnum, 62 bits        zeroed memory is therefore full of the fixnum 0
 *   .001  pair                   16 bytes
 *   .010  immediate              #t #f () eof chars ...
 *   .011  procedure              closures, builtins, continuations
 *   .101  flonum
 *   .110  vector
 *   .111  any other heap object
 *
 * SCHEME_REFERENCE_TAGS tells the heap which of these are references. A return address into
 * code looks like a fixnum (code never moves and is aligned to 8), so the whole VM stack can be
 * scanned precisely without maps. */
#ifndef SCHEME_VALUES_H
#define SCHEME_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uintptr_t value;

enum {
  TAG_PAIR = 1,
  TAG_IMMEDIATE = 2,
  TAG_PROCEDURE = 3,
  TAG_FLONUM = 5,
  TAG_VECTOR = 6,
  TAG_OBJECT = 7,
  TAG_MASK = 7
};

#define SCHEME_REFERENCE_TAGS                                                                                \
  ((1u << TAG_PAIR) | (1u << TAG_PROCEDURE) | (1u << TAG_FLONUM) | (1u << TAG_VECTOR) | (1u << TAG_OBJECT))

/* ---- Immediates: subtype in bits 3..7, payload from bit 8 ---- */
#define IMMEDIATE(payload, subtype) (((value)(payload) << 8) | ((value)(subtype) << 3) | TAG_IMMEDIATE)
#define FALSE_VALUE IMMEDIATE(0, 0)
#define TRUE_VALUE IMMEDIATE(1, 0)
#define NIL IMMEDIATE(2, 0)
#define UNSPECIFIED IMMEDIATE(3, 0)
#define EOF_VALUE IMMEDIATE(4, 0)
#define UNDEFINED IMMEDIATE(5, 0) /* the content of a variable before its definition */
#define FAIL IMMEDIATE(6, 0)      /* never seen by a program: a C function raised an exception */
#define BROKEN IMMEDIATE(7, 0)    /* what the heap puts where a weak reference was; programs see #f */
#define CHARACTER_SUBTYPE 1

static inline value make_boolean(bool b) { return b ? TRUE_VALUE : FALSE_VALUE; }
static inline value make_character(uint32_t code_point) { return IMMEDIATE(code_point, CHARACTER_SUBTYPE); }
static inline bool is_character(value v) { return (v & 0xff) == IMMEDIATE(0, CHARACTER_SUBTYPE); }
static inline uint32_t character_of(value v) { return (uint32_t)(v >> 8); }

/* ---- Fixnums ---- */
#define FIXNUM_MAX (((int64_t)1 << 61) - 1)
#define FIXNUM_MIN (-((int64_t)1 << 61))

static inline bool is_fixnum(value v) { return (v & 3) == 0; }
static inline bool are_fixnums(value a, value b) { return ((a | b) & 3) == 0; }
static inline value make_fixnum(int64_t n) { return (value)((uint64_t)n << 2); }
static inline int64_t fixnum_of(value v) { return (int64_t)v >> 2; }
static inline bool fits_fixnum(int64_t n) { return n >= FIXNUM_MIN && n <= FIXNUM_MAX; }
/* An index into something of `length` elements. */
static inline bool is_index(value v, uint64_t length) { return is_fixnum(v) && (v >> 2) < length; }

/* ---- Heap objects ---- */
struct pair {
  value car, cdr;
};

struct flonum {
  double number;
};

/* slots[] are the captured variables; builtins and continuations keep their own data there. */
struct closure {
  value code;
  value slots[];
};

struct vector {
  value length; /* a fixnum, so that the whole object is plain values */
  value items[];
};

/* One word of code: the address of the instruction's label in the VM loop, or its operands. */
union word {
  const void *label;
  value constant;
  struct global *global;
  const struct builtin *builtin;
  int64_t integer;
  struct {
    uint16_t a, b, c, d;
  } r;
  struct {
    uint16_t a, b;
    int32_t offset; /* in words, from the instruction's first */
  } j;
  uint16_t captures[4];
};

/* Never moves (its kind is pinned): return addresses and the VM's program counter point into it.
 * What it refers to is reached through `constants`, so nothing in instructions[] needs tracing. */
struct code {
  value constants;    /* vector */
  value name;         /* symbol or #f */
  int64_t arity;      /* ARITY_..., below */
  int64_t frame_size; /* registers, the closure in register 0 included */
  int64_t word_count;
  union word instructions[];
};

/* n >= 0: exactly n arguments. */
#define ARITY_OWN (-1)                                  /* the first instruction looks at the count itself */
#define ARITY_REST(required) (-2 - (int64_t)(required)) /* at least `required`, the rest as a list */

struct box {
  value content;
};

/* Characters are Latin-1 bytes or UTF-32 words; a string widens when it must. The body is an
 * object of its own so that the string keeps its identity. */
struct string {
  value body; /* bytes */
  int64_t length;
  int64_t width; /* 1 or 4 */
};

struct bytes {
  uint8_t data[1]; /* really as many as were asked for */
};

struct bytevector {
  int64_t length;
  uint8_t data[];
};

struct symbol {
  value name; /* string */
  struct global *global;
  uint64_t hash;
  int64_t keyword; /* enum keyword, 0 for none */
};

struct record_type {
  value name;        /* symbol */
  value field_count; /* fixnum */
  value fields;      /* list of symbols */
};

struct record {
  value type;
  value fields[];
};

struct condition {
  value kind;    /* fixnum: enum condition_kind */
  value message; /* usually a string */
  value irritants;
};

struct port_object {
  struct port *port;
};

/* What (values a b ...) hands to a continuation that takes any number of values. */
struct multiple {
  value count;
  value items[];
};

/* Part of a captured VM stack; `older` is what is below it (see continuation.c). */
struct segment {
  value older; /* segment or #f */
  value older_height;
  value words[];
};

/* The slots of a continuation's closure. */
enum {
  CONTINUATION_SEGMENT,
  CONTINUATION_HEIGHT,
  CONTINUATION_WINDERS,
  CONTINUATION_HANDLERS,
  CONTINUATION_SLOTS
};

static inline bool has_tag(value v, unsigned tag) { return (v & TAG_MASK) == tag; }
static inline bool is_pair(value v) { return has_tag(v, TAG_PAIR); }
static inline bool is_flonum(value v) { return has_tag(v, TAG_FLONUM); }
static inline bool is_vector(value v) { return has_tag(v, TAG_VECTOR); }
static inline bool is_procedure(value v) { return has_tag(v, TAG_PROCEDURE); }
static inline bool is_number(value v) { return is_fixnum(v) || is_flonum(v); }
static inline bool is_boolean(value v) { return v == TRUE_VALUE || v == FALSE_VALUE; }

static inline void *untagged(value v) { return (void *)(v & ~(value)TAG_MASK); }
static inline value tagged(const void *object, unsigned tag) { return (value)object + tag; }

static inline struct pair *pair_of(value v) { return (struct pair *)(v - TAG_PAIR); }
static inline struct vector *vector_of(value v) { return (struct vector *)(v - TAG_VECTOR); }
static inline struct closure *closure_of(value v) { return (struct closure *)(v - TAG_PROCEDURE); }
static inline double flonum_of(value v) { return ((struct flonum *)(v - TAG_FLONUM))->number; }
static inline void *object_of(value v) { return (void *)(v - TAG_OBJECT); }
static inline struct code *code_of(value v) { return object_of(v); }
static inline struct string *string_of(value v) { return object_of(v); }
static inline struct symbol *symbol_of(value v) { return object_of(v); }
static inline struct bytevector *bytevector_of(value v) { return object_of(v); }
static inline struct record *record_of(value v) { return object_of(v); }
static inline struct record_type *record_type_of(value v) { return object_of(v); }
static inline struct condition *condition_of(value v) { return object_of(v); }
static inline struct multiple *multiple_of(value v) { return object_of(v); }
static inline struct segment *segment_of(value v) { return object_of(v); }

static inline value car(value pair) { return pair_of(pair)->car; }
static inline value cdr(value pair) { return pair_of(pair)->cdr; }
static inline int64_t vector_length(value v) { return fixnum_of(vector_of(v)->length); }

static inline uint32_t string_get(value v, int64_t index) {
  const struct string *string = string_of(v);
  const void *data = object_of(string->body);
  return string->width == 1 ? ((const uint8_t *)data)[index] : ((const uint32_t *)data)[index];
}

#endif
