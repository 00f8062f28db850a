/* The model's parts, shared by its files: see model.h. */
#ifndef MIDDEN_TESTS_MODEL_INTERNAL_H
#define MIDDEN_TESTS_MODEL_INTERNAL_H

#include "model.h"

/* The shapes of objects. Word 0 of every object is its serial number as an immediate; word 1, except in
 * leaves and ambiguous objects, is a decoy: bits that look like an address but are no reference. */
typedef enum model_shape {
  MODEL_PAIR,      /* fixed, every word may be a reference */
  MODEL_NODE,      /* fixed, bitmap */
  MODEL_VECTOR,    /* fixed part and references; sometimes large */
  MODEL_TABLE,     /* elements of reference, hash, reference */
  MODEL_LEAF,      /* content only; sometimes large */
  MODEL_TRACED,    /* host trace function, references at every other word */
  MODEL_PINNED,    /* a kind that never moves */
  MODEL_AMBIGUOUS, /* every word pins, into the interior too */
  MODEL_PINNING,   /* traced; its second reference pins */
  MODEL_SHAPES
} model_shape;

/* An object as it should be. Index 0 of the table stands for NULL. */
typedef struct shadow {
  uint64_t serial; /* 0: free entry */
  model_shape shape;
  uint32_t bytes;       /* asked for */
  uint32_t edge_count;
  uint32_t *edges;      /* shadow indices */
  uint16_t *interior;   /* MODEL_AMBIGUOUS: bytes into the target, by edge */
  uint64_t content;     /* seed of a leaf's content */
  uintptr_t decoy;
  uintptr_t fixed_at;   /* the address it may never leave; 0: it may move */
  uint64_t identity;    /* its hash, once it was asked for */
  size_t external;      /* bytes outside the heap */
  uint64_t seen;        /* the comparison that reached it last */
  uintptr_t address;    /* where that one found it */
} shadow;

/* A root: a slot that the heap knows about, and what it should hold. */
typedef struct model_root {
  midden_word *slot;
  uint32_t holds;
  bool pins;  /* found by an ambiguous or pinned visit: the slot is never rewritten */
} model_root;

/* An object that a weak reference or a finalizer watches: its shadow, 0 once that is unreachable; and its number. */
typedef struct model_watch {
  uint32_t index;
  uint64_t serial; /* 0: none */
  bool ran;        /* its finalizer, since the last comparison */
} model_watch;

enum {
  MODEL_WEAK_SLOTS = 24,
  MODEL_WEAK_ELEMENTS = 40,
  MODEL_EPHEMERONS = 40,
  MODEL_FINALIZERS = 30,
  MODEL_SERIALS = 1 << 17, /* leaves numbered below this are checked to be freed once */
  MODEL_RANGE_ROOTS = 24,
  MODEL_SINGLE_ROOTS = 8,
  MODEL_SCANNED_ROOTS = 8,
  MODEL_HELD_ROOTS = 4, /* visited pinned by the scanner */
  MODEL_HOST_ROOTS = MODEL_RANGE_ROOTS + MODEL_SINGLE_ROOTS + MODEL_SCANNED_ROOTS + MODEL_HELD_ROOTS,
  MODEL_BLOCKS = 20,    /* raw blocks: they must stay as they are */
  MODEL_PINS = 5,       /* objects held by midden_pin alone */
  MODEL_MAXIMUM_ROOTS = MODEL_HOST_ROOTS + MODEL_PINS + 400, /* with handles and frames */
  MODEL_MAXIMUM_LIVE = 2500,
  MODEL_MAXIMUM_DEPTH = 5
};

typedef struct model {
  midden_config config;
  midden_heap *heap;
  midden_mutator *mutator;
  midden_kind kinds[MODEL_SHAPES];
  unsigned shapes;      /* bit: this run uses the shape */
  bool exact;           /* nothing ambiguous: what is live is what is reachable */
  bool switches;        /* this run changes the collector under way */
  bool large;           /* this run makes large objects */
  uint64_t random;
  uint64_t last_serial;
  shadow *shadows;
  uint32_t shadow_count, shadow_capacity;
  uint32_t *free_shadows;
  uint32_t free_count;
  uint32_t *work; /* the comparison's worklist, shadow_capacity entries */
  uint32_t live;  /* shadows in use */
  midden_word host[MODEL_HOST_ROOTS];
  midden_word pins[MODEL_PINS]; /* the heap does not know these words: it keeps what they say where it is */
  unsigned pin_counts[MODEL_PINS];
  struct {
    unsigned char *bytes;
    size_t size;
    unsigned char seed;
  } blocks[MODEL_BLOCKS];
  model_root roots[MODEL_MAXIMUM_ROOTS];
  size_t root_count;
  int depth;
  uint64_t budget; /* operations to do, nested ones counted */
  uint64_t allocations, requested;
  midden_word weak_slots[MODEL_WEAK_SLOTS];
  midden_word weak_objects[2]; /* a weak array, and a table of ephemerons */
  model_watch weak[MODEL_WEAK_SLOTS + MODEL_WEAK_ELEMENTS];
  model_watch keys[MODEL_EPHEMERONS], values[MODEL_EPHEMERONS];
  model_watch finalizers[MODEL_FINALIZERS];
  uint64_t leaves_made, leaves_freed;
  unsigned char freed[MODEL_SERIALS / 8];
  model_result *result;
} model;

/* model_graph.c: objects and their shadows. */

/* Marks the run as failed with a sentence, unless it has failed before. */
__attribute__((format(printf, 2, 3))) void model_fail(model *here, const char *format, ...);
uint64_t model_random(model *here);
size_t model_below(model *here, size_t bound);

bool model_define_kinds(model *here);
/* Allocates an object of a random shape. post: its shadow's index, and *object; or 0 when memory is out
 * or the run has failed. The object is reachable from nothing yet. */
uint32_t model_make(model *here, void **object);
/* Slot of an edge, and the word that an edge holds. */
midden_word *model_edge_slot(const shadow *owner, void *object, uint32_t edge);
/* Makes an edge point to a target, in the heap and in the shadow. */
void model_set_edge(model *here, uint32_t owner, void *object, uint32_t edge, uint32_t target, void *target_object);
/* Gives a leaf new content, or another object a new decoy. */
void model_rewrite(model *here, uint32_t index, void *object);
/* Walks from a random root along random edges. post: a shadow index, and *object; 0 and NULL if the walk
 * began at an empty root. */
uint32_t model_walk(model *here, void **object);
/* Whether the content of an object, edges aside, is what its shadow says. */
bool model_content_is(const shadow *expected, const void *object);

/* model_weak.c: what refers to the graph without keeping it. */

/* Gives the leaves' kind its on_free. */
void model_leaf_shape(model *here, midden_shape *shape);
bool model_weak_open(model *here);
/* Sets a random weak reference or ephemeron, or adds a finalizer. */
void model_weak_operate(model *here);

/* A value that an ephemeron makes reachable, in a comparison. */
typedef struct model_next {
  size_t position; /* 0 at first */
  uint32_t index;
  uintptr_t word;
} model_next;

/* The next value, of a key that this comparison has reached, that it has not reached. post: false if there is none. */
bool model_weak_next(model *here, uint64_t stamp, model_next *next);
/* Checks all of it. `certain`: a full collection was just made, and nothing is ambiguous. */
void model_weak_check(model *here, uint64_t stamp, bool certain);
/* After a full collection where nothing is ambiguous: see model_weak.c. */
midden_status model_weak_settle(model *here);

/* model_compare.c: the whole graph. Shadows that are no longer reachable are freed. */
void model_compare(model *here);
/* The same after a collection that has just been made; what is live is at least what is reachable, and after
 * a full one, where nothing is ambiguous, no more. */
void model_compare_live(model *here, bool full);

#endif
