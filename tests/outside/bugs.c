/* Hosts with a bug each, for memory_check.py: AddressSanitizer or memcheck must see it.
 *
 * usage: bugs NAME OPTIONS    makes the bug of that name, in a heap with these options
 * The bug of name none is none: it uses the heap in many ways, and nothing may be reported. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "midden/midden.h"

#define NOT_INLINED __attribute__((noinline))

struct cell {
  struct cell *next;
  uintptr_t number;
};

static midden_heap *heap;
static midden_mutator *mutator;
static midden_kind cell_kind, text_kind, raw_kind, odd_kind;
static struct cell *kept[8];

/* The bug itself: these names must be on top of the report. */
static NOT_INLINED int read_wrongly(const volatile char *address) {
  __asm__ volatile("" : "+r"(address)); /* so that it is read here and not by the caller */
  return *address;
}
static NOT_INLINED void write_wrongly(volatile char *address) {
  __asm__ volatile("" : "+r"(address));
  *address = 1;
}
static NOT_INLINED int branch_wrongly(const volatile char *address) {
  __asm__ volatile("" : "+r"(address));
  return *address > 3 ? puts("more") : puts("less");
}

static void require(int condition, const char *what) {
  if (condition) return;
  fprintf(stderr, "bugs: %s\n", what);
  exit(3);
}

/* Addresses are kept in disguise, so that no scan of the stack finds them. */
static uintptr_t disguise(const void *address) { return ~(uintptr_t)address; }
static char *reveal(uintptr_t disguised) { return (char *)~disguised; }

static NOT_INLINED void wipe_stack(void) {
  volatile char area[16 << 10];
  for (size_t i = 0; i < sizeof area; i++) area[i] = 0;
}

/* Thirty objects; of two of them the host keeps references. post: one in between. */
static NOT_INLINED uintptr_t make_cells(void) {
  uintptr_t between = 0;
  for (size_t i = 0; i < 30; i++) {
    struct cell *cell = midden_alloc(mutator, cell_kind);
    require(cell != NULL, "no memory");
    cell->number = i;
    if (i == 3) kept[0] = cell;
    if (i == 9) kept[1] = cell;
    if (i == 6) between = disguise(cell);
  }
  return between;
}

static void collect(void) {
  wipe_stack();
  require(midden_collect(mutator, MIDDEN_FULL) == MIDDEN_OK, "no collection");
}

/* ---- the bugs ---- */

static void bug_swept(void) {
  uintptr_t dead = make_cells();
  collect();
  read_wrongly(reveal(dead));
}

/* All of the span is free again. */
static void bug_page(void) {
  uintptr_t dead = make_cells();
  memset(kept, 0, sizeof kept);
  collect();
  read_wrongly(reveal(dead) + 8);
}

static void bug_moved(void) {
  make_cells();
  uintptr_t before = disguise(kept[1]);
  collect();
  require(disguise(kept[1]) != before, "the object has not moved");
  read_wrongly(reveal(before) + 8);
}

static void bug_next_cell(void) {
  make_cells();
  char *last = midden_alloc(mutator, cell_kind);
  memset(last, 1, sizeof(struct cell));
  write_wrongly(last + sizeof(struct cell));
}

static void bug_tail(void) {
  char *text = midden_alloc_sized(mutator, text_kind, 131); /* of a cell of 144 */
  memset(text, 1, 131);
  write_wrongly(text + 131);
}

/* A kind's own size is known after collections, too. */
static void bug_fixed_tail(void) {
  kept[0] = midden_alloc(mutator, odd_kind); /* 20 bytes, of a cell of 24 */
  for (int i = 0; i < 3; i++) collect();
  memset((void *)kept[0], 0, 20);
  write_wrongly((char *)kept[0] + 20);
}

static void bug_large_tail(void) {
  char *text = midden_alloc_sized(mutator, text_kind, 100000);
  memset(text, 1, 100000);
  write_wrongly(text + 100000);
}

static void bug_block_overrun(void) {
  char *block = midden_block_alloc(mutator, 129);
  memset(block, 1, 129);
  write_wrongly(block + 129);
}

static void bug_block_freed(void) {
  char *block = midden_block_alloc(mutator, 100);
  memset(block, 1, 100);
  midden_block_free(mutator, block);
  read_wrongly(block + 50);
}

static void bug_block_shrunk(void) {
  char *block = midden_block_alloc(mutator, 144);
  memset(block, 1, 144);
  require(midden_block_realloc(mutator, block, 130) == block, "it has moved");
  memset(block, 1, 130);
  read_wrongly(block + 130);
}

static void bug_large_block_freed(void) {
  char *block = midden_block_alloc(mutator, 100000);
  memset(block, 1, 100000);
  midden_block_free(mutator, block);
  read_wrongly(block + 50000);
}

static void bug_buffer_freed(void) {
  midden_buffer *buffer = midden_buffer_new(mutator, 300);
  char *bytes = midden_buffer_address(buffer);
  memset(bytes, 1, 300);
  midden_buffer_release(mutator, buffer);
  read_wrongly(bytes + 299);
}

static midden_lease lend(void) {
  midden_pool *pool;
  midden_pool_options options = {.total_bytes = 65536, .chunk_bytes = 4096, .name = "bugs"};
  require(midden_pool_open(mutator, &options, &pool, NULL) == MIDDEN_OK, "no pool");
  midden_lease lease = {NULL, 0, 0}, other = {NULL, 0, 0};
  require(midden_pool_acquire(pool, 5000, MIDDEN_AT_ONCE, MIDDEN_HERE, &lease) == MIDDEN_OK, "no lease");
  require(midden_pool_acquire(pool, 5000, MIDDEN_AT_ONCE, MIDDEN_HERE, &other) == MIDDEN_OK, "no lease");
  memset(lease.address, 1, 5000);
  require(midden_pool_release(pool, &other) == MIDDEN_OK, "not given back");
  other.address = (char *)lease.address + 8192;
  return lease;
}

static void bug_lease_overrun(void) { write_wrongly((char *)lend().address + 5000); }
static void bug_lease_freed(void) { read_wrongly((char *)lend().address + 8192); } /* the second one's */

/* For memcheck only: what is not zeroed counts as not written. */
static void bug_unwritten_block(void) { branch_wrongly(midden_block_alloc(mutator, 100)); }
static void bug_unwritten_object(void) {
  kept[0] = midden_alloc_sized(mutator, raw_kind, 100);
  collect(); /* and still does */
  branch_wrongly((char *)kept[0] + 7);
}

/* ---- no bug ---- */

/* Leaves words on the stack that were never written, some of them addresses of old. */
static NOT_INLINED void leave_words(int depth) {
  volatile uintptr_t words[64];
  __asm__ volatile("" : : "r"(words) : "memory");
  words[depth % 64] = disguise(reveal(disguise(kept[depth % 8])));
  if (depth % 16 != 0) {
    leave_words(depth + 1);
  } else {
    require(midden_alloc(mutator, cell_kind) != NULL, "no memory");
    if (depth % 32 == 0) midden_collect(mutator, MIDDEN_FULL);
  }
  __asm__ volatile("" : : "r"(words) : "memory");
}

static bool sum_object(void *context, void *object, size_t size, uint16_t kind_id) {
  (void)kind_id;
  for (size_t i = 0; i < size; i++) *(size_t *)context += ((unsigned char *)object)[i] & 1; /* all of the cell is theirs */
  return true;
}

static void use_blocks(int i) {
  size_t size = 1 + (size_t)i * 37 % 3000;
  char *block = midden_block_alloc(mutator, size);
  require(block != NULL, "no block");
  memset(block, i, size);
  char *grown = midden_block_realloc(mutator, block, size + 50);
  require(grown && grown[size - 1] == (char)i, "the block was not kept");
  memset(grown, i, size + 50);
  grown = midden_block_realloc(mutator, grown, size / 2 + 1);
  memset(grown, i, midden_block_size(mutator, grown)); /* told, so used */
  midden_block_free(mutator, grown);
}

static void use_objects(int i) {
  struct cell *cell = midden_alloc(mutator, cell_kind);
  require(cell != NULL, "no memory");
  midden_store(mutator, cell, &cell->next, i % 20 ? kept[0] : NULL);
  cell->number = (uintptr_t)i;
  kept[0] = cell;
  size_t size = 1 + (size_t)i * 13 % 700;
  kept[1] = midden_alloc_sized(mutator, i % 2 ? text_kind : raw_kind, size);
  require(kept[1] != NULL, "no memory");
  memset((void *)kept[1], i, size);
  if (i % 50 == 0) {
    kept[2] = midden_alloc_sized(mutator, text_kind, 50000 + size);
    memset((void *)kept[2], i, midden_size_of(heap, kept[2]));
  }
  kept[3] = (void *)midden_buffer_new(mutator, size);
  memset(midden_buffer_address((midden_buffer *)kept[3]), i, size);
}

static void bug_none(void) {
  size_t sum = 0;
  for (int i = 0; i < 400; i++) {
    use_objects(i);
    use_blocks(i);
    if (i % 40 == 0) leave_words(i + 1);
    if (i % 100 == 0 && midden_verify(heap, NULL) != MIDDEN_OK) exit(4);
    if (i % 200 == 0) midden_each(heap, sum_object, &sum);
    if (i % 150 == 0) midden_defragment(mutator, SIZE_MAX, NULL);
  }
  size_t length = 0;
  for (const struct cell *cell = kept[0]; cell; cell = cell->next) length += cell->number > 0;
  require(length > 0, "the list is gone");
  lend();
  midden_trim(heap);
}

static const struct {
  const char *name;
  void (*make)(void);
} bugs[] = {
    {"none", bug_none},
    {"swept", bug_swept},
    {"page", bug_page},
    {"moved", bug_moved},
    {"next-cell", bug_next_cell},
    {"tail", bug_tail},
    {"fixed-tail", bug_fixed_tail},
    {"large-tail", bug_large_tail},
    {"block-overrun", bug_block_overrun},
    {"block-freed", bug_block_freed},
    {"block-shrunk", bug_block_shrunk},
    {"large-block-freed", bug_large_block_freed},
    {"buffer-freed", bug_buffer_freed},
    {"lease-overrun", bug_lease_overrun},
    {"lease-freed", bug_lease_freed},
    {"unwritten-block", bug_unwritten_block},
    {"unwritten-object", bug_unwritten_object},
};

static void open_heap(const char *options) {
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  midden_error error;
  require(midden_config_parse(&config, options, &error) == MIDDEN_OK, "bad options");
  require(midden_heap_open(&config, &heap, &error) == MIDDEN_OK, "no heap");
  mutator = midden_attach(heap, NULL, &error);
  require(mutator != NULL, "not attached");
  const midden_shape cell = {.name = "cell", .size = sizeof(struct cell), .refs = MIDDEN_REFS_BITMAP, .bitmap = 1};
  const midden_shape text = {.name = "text"}, raw = {.name = "raw", .flags = MIDDEN_KIND_UNZEROED};
  const midden_shape odd = {.name = "odd", .size = 20};
  cell_kind = midden_kind_define(heap, &cell, NULL);
  text_kind = midden_kind_define(heap, &text, NULL);
  raw_kind = midden_kind_define(heap, &raw, NULL);
  odd_kind = midden_kind_define(heap, &odd, NULL);
  require(midden_root_range_add(heap, kept, sizeof kept / sizeof kept[0]) == MIDDEN_OK, "no roots");
}

int main(int count, char **arguments) {
  require(count == 3, "usage: bugs NAME OPTIONS");
  open_heap(arguments[2]);
  for (size_t i = 0; i < sizeof bugs / sizeof bugs[0]; i++) {
    if (strcmp(bugs[i].name, arguments[1]) != 0) continue;
    bugs[i].make();
    require(midden_heap_close(heap) == MIDDEN_OK, "not closed");
    puts("done");
    return 0;
  }
  require(0, "no such bug");
}
