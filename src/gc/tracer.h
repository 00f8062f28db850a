/* The tracer: marks what is reachable, in place. Shared by all collectors.
 *
 * An object is marked when it is first seen and then waits on the mark stack, unless its page says that
 * it holds no references. Between the stack and scanning stands a short queue of objects whose memory
 * is being fetched (Cher, Hosking, Vitek 2004): a dependent miss for each object becomes several in flight.
 *
 * The mark stack grows as it must; when memory for it cannot be had, an object is left marked and
 * unscanned, and the whole marked heap is scanned again afterwards. Large arrays are scanned in portions,
 * so they do not flood the stack. */
#ifndef MIDDEN_GC_TRACER_H
#define MIDDEN_GC_TRACER_H

#include "alloc/space.h"
#include "gc/reference.h"
#include "midden/kind.h"

#define TRACER_QUEUE 32 /* measured: docs/design/mark-bits.md, speed.md */
#define TRACER_PORTION 512 /* slots of a large object that are scanned at a time */
#define TRACER_PORTIONS 64 /* large objects that can wait half scanned; more are scanned at once */

struct core;
struct kind;

/* An entry of the mark stack: a cell with what its page says of it, so that the page map is read once for
 * an object. Bits 24 to 63: its offset in the range, in 8 bytes; below: class and kind, as in the page map. */
typedef uint64_t mark_entry;

static inline mark_entry mark_entry_of(size_t offset, uint64_t page_entry) {
  return (uint64_t)(offset >> 3) << 24 | (page_entry & 0xffffff);
}
static inline size_t mark_entry_offset(mark_entry entry) { return (size_t)(entry >> 24) << 3; }
static inline unsigned mark_entry_kind(mark_entry entry) { return (unsigned)(entry & 0xffff); }
static inline unsigned mark_entry_class(mark_entry entry) { return (unsigned)(entry >> 16) & 0xff; }

struct mark_stack {
  mark_entry *entries;
  size_t depth, capacity;
};

struct tracer {
  midden_visitor visitor; /* for roots and trace functions; first, so that one leads to the other */
  struct core *core;
  uintptr_t base;
  size_t extent;
  const uint64_t *page_map;
  uint64_t *mark_bits;
  const struct kind *kinds;
  struct reference_form form;
  struct mark_stack stack;
  bool overflowed;
  bool pins_only; /* what ambiguous words hit, now, is pinned and not marked */
  struct {
    midden_word *next, *end;
  } portions[TRACER_PORTIONS];
  size_t portion_count;
};

struct collection;

/* Readies the tracer for a collection: no marks, but for a minor collection those of the old objects; then
 * marks and pins, and nothing else, what the host has pinned. */
void mdn_tracer_begin(const struct collection *collection);

/* Marks what the roots reach, and in a minor collection the remembered set too. Ambiguous roots pin what
 * they hit. post: marks and pins are complete. */
void mdn_tracer_mark_all(const struct collection *collection);

/* Scans until nothing is left to scan. */
void mdn_tracer_drain(struct tracer *tracer);

/* Marks one cell if it is not, and has it scanned. */
void mdn_tracer_mark_cell(struct tracer *tracer, uintptr_t cell);

/* Pins a cell, and does not mark it. */
void mdn_tracer_pin_only(struct tracer *tracer, uintptr_t cell);
/* Pins, marks and has scanned a cell. */
void mdn_tracer_pin_cell(struct tracer *tracer, uintptr_t cell);
/* The same for the cells that an ambiguous word may mean. */
void mdn_tracer_pin_word(struct tracer *tracer, uintptr_t word);
/* The same for a word that is said to be a reference. */
void mdn_tracer_pin_reference(struct tracer *tracer, uintptr_t word);
/* For a visitor of the same name; `count` words. */
void mdn_tracer_pin_words(struct tracer *tracer, const midden_word *first, size_t count);

/* Puts a cell on the mark stack. */
bool mdn_mark_stack_grow(struct tracer *tracer);
static inline void tracer_push(struct tracer *tracer, mark_entry entry) {
  struct mark_stack *stack = &tracer->stack;
  if (__builtin_expect(stack->depth == stack->capacity, 0) && !mdn_mark_stack_grow(tracer)) {
    tracer->overflowed = true;
    return;
  }
  stack->entries[stack->depth++] = entry;
}

/* If objects were left unscanned for want of mark stack: calls `scan` for every marked cell that may
 * hold references, then the caller drains. post: false if there was no need. */
typedef void (*scan_function)(struct tracer *tracer, uintptr_t cell);
bool mdn_tracer_rescan(struct tracer *tracer, scan_function scan);

/* Gives the mark stack's memory back if it has grown large. */
void mdn_tracer_end(struct tracer *tracer);
void mdn_tracer_close(struct tracer *tracer);

#endif
