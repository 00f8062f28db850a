/* Kinds as the collectors see them. */
#ifndef MIDDEN_GC_KINDS_H
#define MIDDEN_GC_KINDS_H

#include "alloc/central.h"
#include "base/arena.h"
#include "midden/kind.h"

#define CURSOR_CAPACITY 16384 /* per mutator; one for each central list */

/* Invariant: centrals[i] feeds cursor `cursor + i`. A kind of fixed size has one list, of class
 * `first_class`; a kind of variable size has SIZE_CLASS_CURSORS, by class. */
struct kind {
  uint8_t layout; /* midden_layout */
  uint8_t first_class;
  bool movable;
  bool fixed_size;
  uint16_t id, cursor;
  uint32_t flags;
  uint64_t bitmap;         /* references in the fixed part; cut to its size */
  uint64_t element_bitmap; /* cut to the element */
  uint64_t weak_bitmap;    /* weak references in the fixed part; cut to its size */
  midden_weak weak;        /* their strength */
  midden_pairs pairs;
  uint32_t fixed_bytes;    /* where elements start */
  uint32_t element_bytes;
  bool elements_all;       /* every word of every element may be a reference */
  size_t size;             /* what the host asked for; 0: variable */
  size_t alignment;
  midden_finalizer_function finalizer; /* NULL: none */
  void *finalizer_context;
  midden_free_function on_free; /* NULL: none */
  void *on_free_context;
  midden_trace_function trace;
  void *trace_context;
  struct central *centrals;
  size_t central_count;
  char *name;
};

struct kind_table {
  struct kind *kinds; /* by id; entry 0 is unused, a leaf */
  size_t count, capacity;
  size_t cursor_count;   /* cursor 0 is never filled: the invalid kind's */
  bool frees;            /* some kind has on_free */
  bool pins_while_tracing; /* some kind's objects pin others when traced; or it is known then only what pins are good for */
};

/* Checks a shape. post: MIDDEN_OK, or BAD_ARGUMENT and a sentence. */
midden_status mdn_shape_check(const midden_shape *shape, midden_error *error);

/* Adds a kind. pre: a checked shape. post: its id; or 0, and *error says why. */
uint16_t mdn_kinds_add(struct kind_table *table, struct arena *arena, const midden_shape *shape,
                       midden_error *error);

/* The list that a cell of this kind and class belongs to. */
static inline struct central *kind_central(const struct kind *kind, unsigned size_class) {
  return &kind->centrals[kind->fixed_size ? 0 : size_class];
}

#endif
