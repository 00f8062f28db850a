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
  MODEL_FINALIZED, /* a kind whose objects have a finalizer each */
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
  uintptr_t address;    /* where that one found it, */
  uint64_t epoch;       /* and the heap's moved epoch then */
} shadow;

/* A root: a slot that the heap knows about, and what it should hold. */
typedef struct model_root {
  midden_word *slot;
  uint32_t holds;
  bool pinned; /* by midden_pin or midden_pin_in_scope: the slot is the model's own, and never rewritten */
} model_root;

/* An object that a weak reference or a finalizer watches: its shadow, 0 once that is unreachable; and its number. */
typedef struct model_watch {
  uint32_t index;
  uint64_t serial; /* 0: none */
  bool ran;        /* its finalizer, since the last comparison */
  bool reborn;     /* its finalizer has run before, kept it, and registered it again */
} model_watch;

enum {
  MODEL_WEAK_SLOTS = 24,
  MODEL_WEAK_ELEMENTS = 40, /* of two weak arrays together: the first short, the second long */
  MODEL_TABLES = 3,         /* a weak table of each sort, in the order of midden_pairs */
  MODEL_PAIRS = 20,         /* in each table */
  MODEL_WEAK_OBJECTS = 2 + MODEL_TABLES,
  MODEL_FINALIZERS = 30,
  MODEL_REBORN = 8,
  MODEL_SERIALS = 1 << 17, /* objects numbered below this are checked to be freed and finalized once */
  MODEL_RANGE_ROOTS = 24,
  MODEL_SINGLE_ROOTS = 8,
  MODEL_SCANNED_ROOTS = 8,
  MODEL_HELD_ROOTS = 4, /* visited pinned by the scanner */
  MODEL_HOST_ROOTS = MODEL_RANGE_ROOTS + MODEL_SINGLE_ROOTS + MODEL_SCANNED_ROOTS + MODEL_HELD_ROOTS,
  MODEL_SPARED_ROOTS = 6, /* the first of them: what the pressure callback drops */
  MODEL_BLOCKS = 20,      /* raw blocks: they must stay as they are */
  MODEL_BUFFERS = 24,
  MODEL_LEASES = 8,
  MODEL_PINS = 5,         /* objects held by midden_pin alone */
  MODEL_MARKED = 6,       /* words that only the function at the end of marking keeps; */
  MODEL_MARKED_PINNED = 2, /* of these, it pins the first */
  MODEL_MAXIMUM_ROOTS = MODEL_HOST_ROOTS + MODEL_PINS + MODEL_MARKED + 400, /* with handles and frames */
  MODEL_MAXIMUM_LIVE = 2500,
  MODEL_MAXIMUM_DEPTH = 5,
  MODEL_SCOPED_PINS = 3,
  MODEL_KEPT_LOCAL = 0, /* stack=pinning: the roots beside the locals of one depth, and of a coroutine and its caller */
  MODEL_KEPT_COROUTINE,
  MODEL_KEPT_CALLER,
  MODEL_KEPT
};

/* Bytes that the model has outside the cells, and what they should be. */
typedef struct model_bytes {
  unsigned char *bytes;
  size_t size;
  unsigned char seed;
} model_bytes;

/* A buffer of the heap: what it should own. */
typedef struct model_buffer {
  model_bytes owns; /* bytes NULL: released */
  bool made;        /* there is an object */
  bool leased;      /* its bytes are of the pool */
} model_buffer;

typedef struct model {
  midden_config config;
  midden_heap *heap;
  midden_mutator *mutator;
  midden_kind kinds[MODEL_SHAPES];
  unsigned shapes;      /* bit: this run uses the shape */
  bool exact;           /* nothing ambiguous keeps anything: what is live is what is reachable */
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
  midden_word scoped[MODEL_MAXIMUM_DEPTH + 1][MODEL_SCOPED_PINS]; /* the same, by midden_pin_in_scope */
  midden_word kept[MODEL_MAXIMUM_DEPTH + 1][MODEL_KEPT]; /* roots that walks do not begin at: stack=pinning */
  model_bytes blocks[MODEL_BLOCKS];
  midden_word buffer_words[MODEL_BUFFERS]; /* roots */
  model_buffer buffers[MODEL_BUFFERS];
  midden_pool *pool;
  size_t pool_capacity, pool_total;
  midden_lease leases[MODEL_LEASES];
  model_bytes leased[MODEL_LEASES];
  bool marks, marks_pinning;           /* this run takes part in the end of marking, and pins there */
  midden_word marked[MODEL_MARKED];
  uintptr_t marked_at[MODEL_MARKED_PINNED]; /* where it pinned them last; 0: changed since */
  uint64_t pressure_calls, cycle_reports;
  bool spares;          /* this run's pressure callback drops something */
  model_root roots[MODEL_MAXIMUM_ROOTS];
  size_t root_count;
  int depth;
  bool in_coroutine;
  uint64_t budget; /* operations to do, nested ones counted */
  uint64_t allocations, requested;
  midden_word weak_slots[MODEL_WEAK_SLOTS];
  midden_word weak_objects[MODEL_WEAK_OBJECTS]; /* the arrays, and the tables */
  model_watch weak[MODEL_WEAK_SLOTS + MODEL_WEAK_ELEMENTS];
  model_watch keys[MODEL_TABLES][MODEL_PAIRS], values[MODEL_TABLES][MODEL_PAIRS];
  model_watch finalizers[MODEL_FINALIZERS];
  midden_word reborn[MODEL_REBORN]; /* roots: what finalizers have kept */
  uint64_t reborn_serials[MODEL_REBORN];
  bool settling;                    /* finalizers keep nothing */
  uint64_t finalized_made, finalized_ran; /* MODEL_FINALIZED */
  unsigned char finalized[MODEL_SERIALS / 8];
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

/* model.c: a random operation, `operations` times or until the run has failed or is over. */
void model_operate(model *here, uint64_t operations);
/* Adds a root to those that walks begin at. post: false if there is no place. */
bool model_push_root(model *here, midden_word *slot, uint32_t holds, bool pinned);

/* model_edit.c: the graph. */
void model_edit_make(model *here);
void model_edit_relink(model *here);
void model_edit_root(model *here);
void model_edit_rewrite(model *here);
void model_edit_churn(model *here);

/* model_memory.c: what is kept beside objects. */
void model_use_side_tables(model *here);
void model_use_block(model *here);
void model_change_pin(model *here);
/* Gives back half of the blocks, and takes all pins away. */
void model_memory_shrink(model *here);
/* Fills bytes with new content, and checks that they still have it. */
void model_bytes_fill(model *here, model_bytes *filled);
void model_bytes_check(model *here, const model_bytes *expected, const char *what, size_t which);
/* That statistics count what there is. */
void model_check_blocks(model *here, const midden_statistics *statistics);
void model_check_pins(model *here, const midden_statistics *statistics);

/* model_buffers.c: buffers and a pool of them. */
bool model_buffers_open(model *here);
void model_use_buffer(model *here);
void model_use_pool(model *here);
void model_buffers_shrink(model *here);
/* `certain`: as for model_weak_check. post: objects and bytes of cells that the buffers' objects take. */
void model_check_buffers(model *here, const midden_statistics *statistics, bool certain);
void model_count_buffers(const model *here, uint64_t *objects, uint64_t *bytes);
/* Gives everything back and closes the pool. */
void model_buffers_close(model *here);

/* model_host.c: what the heap calls. */
void model_host_configure(model *here);
bool model_host_open(model *here);
void model_change_marked(model *here);
/* That what was pinned at the end of marking is where it was. */
void model_check_marked(model *here);

/* model_collect.c: the heap as a whole. */
void model_collect(model *here);
void model_defragment(model *here);
void model_shrink(model *here);
void model_verify(model *here);
void model_switch_collector(model *here);
void model_trim(model *here);
/* Walks all objects, and compares with what is counted for kinds and classes. */
void model_count(model *here);

/* model_nest.c: operations beside locals. */
void model_nest(model *here);

/* model_weak.c: what refers to the graph without keeping it. */

/* Gives the leaves' kind its on_free. */
void model_leaf_shape(model *here, midden_shape *shape);
bool model_weak_open(model *here);
/* Sets a random weak reference or pair, or adds a finalizer. */
void model_weak_operate(model *here);

/* A word that a table makes reachable, in a comparison. */
typedef struct model_next {
  size_t position; /* 0 at first */
  uint32_t index;
  uintptr_t word;
} model_next;

/* The next key or value that a table holds and this comparison has not reached. post: false if there is none. */
bool model_weak_next(model *here, uint64_t stamp, model_next *next);
/* Checks all of it. `certain`: a full collection was just made, and nothing is ambiguous. */
void model_weak_check(model *here, uint64_t stamp, bool certain);
/* Whether a comparison has reached what is watched. */
bool model_reached(const model *here, const model_watch *watched, uint64_t stamp);
/* Watches an object, or (index 0) nothing. */
void model_watch_object(const model *here, model_watch *watched, uint32_t index);

/* model_finalizers.c: finalizers of objects and of a kind. */
void model_finalized_shape(model *here, midden_shape *shape);
void model_add_finalizer(model *here);
void model_check_finalizers(model *here, uint64_t stamp, uint64_t live_finalized, bool certain);
/* After a full collection where nothing is ambiguous: runs what waits, drops what finalizers kept, and collects until
 * nothing changes. */
midden_status model_settle(model *here);
/* What closing the heap has to leave behind. */
void model_finalizers_closed(model *here);

/* model_compare.c: the whole graph. Shadows that are no longer reachable are freed. */
void model_compare(model *here);
/* The same after a collection that has just been made; what is live is at least what is reachable, and after
 * a full one, where nothing is ambiguous, no more. */
void model_compare_live(model *here, bool full);
/* The heap's own figures, with each other and with what was asked of it: cheap enough for after every operation. */
void model_compare_figures(model *here);

#endif
