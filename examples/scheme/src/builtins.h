/* What the files of builtins share. Each exports a table that ends with a NULL name. */
#ifndef SCHEME_BUILTINS_H
#define SCHEME_BUILTINS_H

#include "errors.h"
#include "heap.h"

extern const struct builtin number_builtins[];
extern const struct builtin real_builtins[];
extern const struct builtin list_builtins[];
extern const struct builtin character_builtins[];
extern const struct builtin string_builtins[];
extern const struct builtin vector_builtins[];
extern const struct builtin port_builtins[];
extern const struct builtin weak_builtins[];
extern const struct builtin hashtable_builtins[];
extern const struct builtin control_builtins[];
extern const struct builtin collector_builtins[];
extern const struct builtin inspect_builtins[];

/* A range of a sequence given by optional arguments argv[first], argv[first + 1]. false: an
 * exception is set. */
bool optional_range(struct vm *vm, const char *name, const value *argv, int argc, int first, int64_t length,
                    int64_t *start, int64_t *end);
/* A proper list's length; -1: it is none (an exception is set). */
int64_t list_length(struct vm *vm, const char *name, value list);
bool check_index(struct vm *vm, const char *name, value index, int64_t length);
/* v, or FAIL with an exception if it is no number. */
value require_number(struct vm *vm, const char *name, value v);
value bad_argument(struct vm *vm, const char *name, const char *what, value argument);

#endif
