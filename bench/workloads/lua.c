/* The objects of a Lua program: SIZE (10 000) tables stay, each with an array part, a hash part, strings and
 * closures with upvalues. A step is a call: it makes a table whose array grows by doubling, strings, and a closure
 * with its upvalue, which die, but for one table in sixteen that replaces one that stays. */
#include "shim.h"

enum type { STRING = 1, TABLE, CLOSURE, UPVALUE };
enum { ARRAY_SLOTS = 8, HASH_PAIRS = 4 };

/* A value is an object, or an odd word: an integer. All objects start with their type. */
typedef uint64_t *value;

struct string {
  uint64_t type;
  uint32_t length, hash;
  char text[];
};
struct table {
  uint64_t type;
  value *array, *hash; /* hash: keys, which are integers, and values by turns */
  struct table *metatable;
  uint32_t count, capacity;
};
struct upvalue {
  uint64_t type;
  value content;
};
struct closure {
  uint64_t type;
  struct upvalue *upvalue;
  struct table *environment; /* not owned */
  uint64_t prototype;
};

static shim_kind string_kind, table_kind, closure_kind, upvalue_kind, array_kind;
static uint64_t wrong_strings;

static value integer(uint64_t number) { return (value)(number << 1 | 1); }
static bool is_object(const void *word) { return word && !((uintptr_t)word & 1); }

static uint32_t hash_of(const struct string *string) {
  uint32_t hash = string->length;
  for (uint32_t i = 0; i < string->length; i++) hash = hash * 31 + (unsigned char)string->text[i];
  return hash;
}

static SHIM_NOINLINE value new_string(uint64_t number) {
  uint32_t length = 4 + (uint32_t)(number % 29);
  struct string *string = shim_allocate_leaf(string_kind, sizeof *string + length);
  string->type = STRING;
  string->length = length;
  for (uint32_t i = 0; i < length; i++) string->text[i] = (char)('a' + (number + i) % 26);
  string->hash = hash_of(string);
  return &string->type;
}

static void check_string(const struct string *string) { wrong_strings += hash_of(string) != string->hash; }

#ifdef SHIM_FREES
static void drop(value object) {
  if (!is_object(object)) return;
  switch (*object) {
    case TABLE: {
      struct table *table = (struct table *)object;
      for (uint32_t i = 0; i < table->count; i++) drop(table->array[i]);
      for (uint32_t i = 0; table->hash && i < HASH_PAIRS; i++) drop(table->hash[2 * i + 1]);
      shim_free(table->array);
      shim_free(table->hash);
      break;
    }
    case CLOSURE: {
      struct upvalue *upvalue = ((struct closure *)object)->upvalue;
      drop(upvalue->content);
      shim_free(upvalue);
      break;
    }
    default: break;
  }
  shim_free(object);
}
#else
static void drop(value object) { (void)object; }
#endif

static SHIM_NOINLINE struct table *new_table(struct table *metatable) {
  SHIM_FRAME(metatable);
  struct table *table = shim_allocate(table_kind, sizeof *table);
  table->type = TABLE;
  shim_store(table, &table->metatable, metatable);
  SHIM_END();
  return table;
}

static SHIM_NOINLINE void grow(struct table *table) {
  SHIM_FRAME(table);
  uint32_t capacity = table->capacity ? 2 * table->capacity : 1;
  value *array = shim_allocate_array(array_kind, capacity);
  for (uint32_t i = 0; i < table->count; i++) shim_store(array, &array[i], table->array[i]);
  shim_free(table->array);
  shim_store(table, &table->array, array);
  table->capacity = capacity;
  SHIM_END();
}

static SHIM_NOINLINE void append(struct table *table, value element) {
  SHIM_FRAME(table, element);
  if (table->count == table->capacity) grow(table);
  shim_store(table->array, &table->array[table->count++], element);
  SHIM_END();
}

static SHIM_NOINLINE value new_closure(uint64_t number, struct table *environment) {
  struct closure *closure = NULL;
  struct upvalue *upvalue = NULL;
  SHIM_FRAME(environment, closure, upvalue);
  closure = shim_allocate(closure_kind, sizeof *closure);
  closure->type = CLOSURE;
  closure->prototype = number;
  shim_store(closure, &closure->environment, environment);
  upvalue = shim_allocate(upvalue_kind, sizeof *upvalue);
  upvalue->type = UPVALUE;
  shim_store(closure, &closure->upvalue, upvalue);
  value content = new_string(number);
  shim_store(upvalue, &upvalue->content, content);
  SHIM_END();
  return &closure->type;
}

/* What one call makes: a table with strings in its array, and strings, integers and a closure in its hash. */
static SHIM_NOINLINE struct table *call(uint64_t number, struct table *metatable) {
  struct table *table = NULL;
  SHIM_FRAME(metatable, table);
  table = new_table(metatable);
  for (uint64_t i = 0; i < ARRAY_SLOTS; i++) append(table, i % 2 ? integer(number + i) : new_string(number + i));
  value *hash = shim_allocate_array(array_kind, 2 * HASH_PAIRS);
  shim_store(table, &table->hash, hash);
  for (uint64_t i = 0; i < HASH_PAIRS; i++) {
    value content = i == 0 ? new_closure(number, metatable) : i == 1 ? new_string(number) : integer(number * i);
    table->hash[2 * i] = integer(i);
    shim_store(table->hash, &table->hash[2 * i + 1], content);
  }
  SHIM_END();
  return table;
}

/* Reads a table through: the sum of what is in it. */
static uint64_t read_table(const struct table *table) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < table->count; i++) {
    value element = table->array[i];
    if (!is_object(element)) {
      sum += (uintptr_t)element >> 1;
    } else if (*element == STRING) {
      check_string((struct string *)element);
      sum += ((struct string *)element)->hash;
    }
  }
  const struct closure *closure = (const struct closure *)table->hash[1];
  wrong_strings += closure->type != CLOSURE || closure->environment != table->metatable;
  check_string((struct string *)closure->upvalue->content);
  return sum + closure->prototype;
}

static SHIM_NOINLINE bool run(uint64_t size, uint64_t *checksum) {
  struct table **world = NULL, *metatable = NULL, *table = NULL;
  SHIM_FRAME(world, metatable, table);
  world = shim_allocate_array(array_kind, size);
  metatable = new_table(NULL);
  for (uint64_t i = 0; i < size; i++) {
    table = call(i, metatable);
    shim_store(world, &world[i], table);
  }
  shim_checkpoint();
  uint64_t steps = size * 40;
  for (uint64_t i = 0; i < steps; i++) {
    table = call(i, metatable);
    *checksum = *checksum * 31 + read_table(table);
    if (i % 16 == 0) {
      uint64_t at = shim_random_below(size);
      *checksum += read_table(world[at]);
      drop(&world[at]->type);
      shim_store(world, &world[at], table);
    } else {
      drop(&table->type);
    }
    table = NULL;
  }
  for (uint64_t i = 0; i < size; i++) {
    *checksum += read_table(world[i]);
    drop(&world[i]->type);
  }
  SHIM_END();
  return wrong_strings == 0;
}

int main(int argc, char **argv) {
  uint64_t size = shim_begin(argc, argv, 10000, __builtin_frame_address(0));
  string_kind = shim_define_leaf("string");
  table_kind = shim_define("table", sizeof(struct table), 14);
  closure_kind = shim_define("closure", sizeof(struct closure), 6);
  upvalue_kind = shim_define("upvalue", sizeof(struct upvalue), 2);
  array_kind = shim_define_array("array");
  uint64_t checksum = 0;
  bool correct = run(size, &checksum);
  return shim_finish(correct, checksum);
}
