/* Kinds: a host describes the shapes of its objects once, at start-up. The kind belongs to the
 * span an object lies in, so an object has no header: a pair of two words costs 16 bytes. */
#ifndef MIDDEN_KIND_H
#define MIDDEN_KIND_H

#include "midden/status.h"

MIDDEN_BEGIN_DECLARATIONS

typedef struct midden_heap midden_heap;
typedef struct midden_mutator midden_mutator;
typedef struct midden_visitor midden_visitor;

/* When a weak reference gives up its object (weak.h has the order of a collection's end). */
typedef enum midden_weak {
  MIDDEN_WEAK_SHORT = 0, /* when it is unreachable, before its finalizers are queued */
  MIDDEN_WEAK_LONG       /* when it is unreachable after that: it survives resurrection */
} midden_weak;

/* What a host's trace function and root scanners call for what they hold. The same functions
 * serve marking, moving and verifying; call them through the inlines below and in weak.h. */
struct midden_visitor {
  void (*edge)(midden_visitor *visitor, midden_word *slot);
  void (*pinned)(midden_visitor *visitor, uintptr_t word);
  void (*range)(midden_visitor *visitor, midden_word *first, size_t count);
  void (*ambiguous)(midden_visitor *visitor, const midden_word *first, size_t count);
  void (*weak)(midden_visitor *visitor, midden_word *slot, midden_word *companion, midden_weak strength);
  void (*ephemeron)(midden_visitor *visitor, midden_word *key, midden_word *value);
};

/* Visits the slot that holds a reference (tagged as the heap's configuration says, or not a
 * reference at all). The slot may be rewritten: it must be the host's only copy. In a trace function it is
 * rewritten before this returns, so a decoded copy can be visited and encoded again. A root scanner's slot may
 * be rewritten later in the collection: it must be where the reference lives. */
static inline void midden_visit(midden_visitor *visitor, void *slot) {
  visitor->edge(visitor, (midden_word *)slot);
}

/* Visits `count` consecutive slots. */
static inline void midden_visit_range(midden_visitor *visitor, void *first, size_t count) {
  visitor->range(visitor, (midden_word *)first, count);
}

/* Keeps alive, and keeps in place for this collection, the object that the reference names.
 * For references that cannot be rewritten. pre, in a trace function: the kind has
 * MIDDEN_KIND_TRACE_PINS. */
static inline void midden_visit_pinned(midden_visitor *visitor, const void *reference) {
  visitor->pinned(visitor, (uintptr_t)reference);
}

/* The same for `count` words that may or may not point to, into, or just past an object.
 * pre, in a trace function: the kind has MIDDEN_KIND_TRACE_PINS. */
static inline void midden_visit_ambiguous(midden_visitor *visitor, const void *first, size_t count) {
  visitor->ambiguous(visitor, (const midden_word *)first, count);
}

/* A host's trace function: visits every reference slot of one object, the same slots whenever the
 * object has the same content. `size` is the size of the cell in bytes, at least what was asked for;
 * the bytes past what was asked for are zero unless the host wrote there.
 * It may read the object itself and host memory. It must not follow references to other objects
 * (they may be moving), allocate, store, register roots or collect. */
typedef void (*midden_trace_function)(void *object, size_t size, midden_visitor *visitor, void *context);

/* A finalizer: see finalize.h. It runs when the host drains the queue, and may use the heap in every way but close it.
 * The object is its argument and nothing else keeps it: it protects it like any other local. */
typedef void (*midden_finalizer_function)(midden_mutator *mutator, void *object, void *context);

/* Called once for each dead object of a kind, before its memory is used again, and at midden_heap_close for each that is
 * left. The object has its last content, all zero if the host never wrote to it. `size`: as for a trace function. It
 * may read and write this object and the host's memory. It must not follow references to other objects (they may be
 * gone or elsewhere), allocate from the heap, or call it otherwise. */
typedef void (*midden_free_function)(void *object, size_t size, void *context);

typedef enum midden_layout {
  MIDDEN_REFS_NONE = 0,  /* a leaf: never traced */
  MIDDEN_REFS_ALL,       /* every word may be a reference, by the heap's tags */
  MIDDEN_REFS_BITMAP,    /* bit i of .bitmap: word i; words from 64 on hold no reference */
  MIDDEN_REFS_ELEMENTS,  /* .size bytes described by .bitmap, then elements of .element_size bytes
                            each described by .element_bitmap; objects are variable in size */
  MIDDEN_REFS_AMBIGUOUS, /* every word may point to, into or past an object, which it pins */
  MIDDEN_REFS_TRACE,     /* .trace is called */
  MIDDEN_REFS_WEAK,      /* .size bytes, in which .bitmap has the strong references and .weak_bitmap the weak
                            ones, then words that each are a weak reference; objects are variable in size */
  MIDDEN_REFS_PAIRS      /* .size bytes as for MIDDEN_REFS_WEAK, then pairs of words, key and value, of the
                            weakness .pairs; objects are variable in size */
} midden_layout;

/* What is weak in the pairs of a weak table. */
typedef enum midden_pairs {
  MIDDEN_PAIRS_EPHEMERON = 0, /* the key; the value is held as long as the key is reachable otherwise */
  MIDDEN_PAIRS_WEAK_VALUE,    /* the value; the key is held */
  MIDDEN_PAIRS_WEAK_BOTH      /* both: neither is held */
} midden_pairs;

enum {
  MIDDEN_KIND_PINNED = 1,     /* objects of this kind never move */
  MIDDEN_KIND_UNZEROED = 2,   /* allocation does not zero; only for MIDDEN_REFS_NONE */
  MIDDEN_KIND_FINALIZER_ORDERED = 8, /* .finalizer is as by midden_finalizer_add_ordered */
  MIDDEN_KIND_TRACE_PINS = 4  /* .trace calls midden_visit_pinned or midden_visit_ambiguous; costs a
                                 copying heap a marking pass in each collection */
};

typedef struct midden_shape {
  const char *name;        /* for reports; copied */
  size_t size;             /* bytes of a fixed-size object; 0: midden_alloc_sized decides;
                              ELEMENTS, WEAK, PAIRS: bytes of the fixed part, may be 0 */
  midden_layout refs;
  uint64_t bitmap;         /* BITMAP: bits of words past .size are ignored; ELEMENTS, WEAK, PAIRS: the fixed part */
  size_t element_size;     /* ELEMENTS: a multiple of 8, 8 to 512 */
  uint64_t element_bitmap; /* ELEMENTS */
  midden_trace_function trace; /* TRACE */
  void *trace_context;         /* TRACE: passed along */
  size_t alignment;        /* 0, 8 or 16 bytes; 0 means 8 */
  unsigned flags;          /* MIDDEN_KIND_... */
  uint64_t weak_bitmap;    /* WEAK, PAIRS: the weak references in the fixed part */
  midden_weak weak;        /* WEAK: of all its weak references; PAIRS: of those of weak_bitmap */
  midden_pairs pairs;      /* PAIRS */
  midden_finalizer_function finalizer; /* NULL, or registered for each object as it is allocated, which then always
                                          takes the slow path; MIDDEN_KIND_FINALIZER_ORDERED: in order */
  void *finalizer_context;
  midden_free_function on_free;        /* NULL, or called for each dead object */
  void *on_free_context;
} midden_shape;

/* A kind as allocation wants it: small enough for a register. The fields are the library's. */
typedef struct midden_kind {
  uint16_t id;        /* 1 and up; 0: not a kind */
  uint16_t cursor;    /* index of its first allocation cursor */
  uint32_t cell_size; /* fixed size: bytes of a cell; MIDDEN_VARIABLE_SIZE otherwise */
} midden_kind;

#define MIDDEN_VARIABLE_SIZE UINT32_MAX

/* Defines a kind. post: a kind with id > 0; or id 0 and *error (may be NULL): BAD_ARGUMENT for a shape
 * that contradicts itself, LIMIT after MIDDEN_KIND_MAX kinds or when cursors are used up (a kind of
 * fixed size takes 1, one of variable size takes 80, of 16384), NO_MEMORY. Kinds live as long as the heap.
 * Allocating with the id-0 kind returns NULL.
 * Does not collect. Owner thread, not from inside a collection. */
MIDDEN_API midden_kind midden_kind_define(midden_heap *heap, const midden_shape *shape, midden_error *error);

#define MIDDEN_KIND_MAX 1023

/* The name of a kind. post: NULL for an id that was never defined; else lives as long as the heap. */
MIDDEN_API const char *midden_kind_name(const midden_heap *heap, uint16_t kind_id);

MIDDEN_END_DECLARATIONS

#endif
