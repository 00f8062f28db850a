/* Long linked lists, the worst case of tracing: a list of SIZE (300 000) cells whose order in memory is random
 * stays alive while thirty-two times as many cells come and go in short lists. Each cell can be found only through
 * the one before. */
#include "shim.h"

struct cell {
  struct cell *next;
  uint64_t value;
};

static shim_kind cell_kind;

static SHIM_NOINLINE struct cell *cons(uint64_t value, struct cell *next) {
  SHIM_FRAME(next);
  struct cell *cell = shim_allocate(cell_kind, sizeof *cell);
  cell->value = value;
  shim_store(cell, &cell->next, next);
  SHIM_END();
  return cell;
}

static SHIM_NOINLINE struct cell *make(uint64_t length) {
  struct cell *list = NULL;
  SHIM_FRAME(list);
  for (uint64_t i = 0; i < length; i++) list = cons(i, list);
  SHIM_END();
  return list;
}

/* Splits the list by a bit of each value's hash and joins the two parts: a few times make it random. */
static SHIM_NOINLINE struct cell *shuffle(struct cell *list, unsigned bit) {
  struct cell *heads[2] = {NULL, NULL}, *tails[2] = {NULL, NULL};
  for (struct cell *next; list; list = next) {
    next = list->next;
    unsigned part = (unsigned)(list->value * UINT64_C(0x9e3779b97f4a7c15) >> bit) & 1;
    shim_store(list, &list->next, NULL);
    if (tails[part]) {
      shim_store(tails[part], &tails[part]->next, list);
    } else {
      heads[part] = list;
    }
    tails[part] = list;
  }
  if (!tails[0]) return heads[1];
  shim_store(tails[0], &tails[0]->next, heads[1]);
  return heads[0];
}

static SHIM_NOINLINE uint64_t sum(const struct cell *list, uint64_t *length) {
  uint64_t result = 0;
  for (*length = 0; list; list = list->next, ++*length) result += list->value;
  return result;
}

#ifdef SHIM_FREES
static void drop(struct cell *list) {
  for (struct cell *next; list; list = next) {
    next = list->next;
    shim_free(list);
  }
}
#else
static void drop(struct cell *list) { (void)list; }
#endif

static SHIM_NOINLINE bool short_list(uint64_t length) {
  struct cell *list = make(length);
  uint64_t found;
  bool correct = sum(list, &found) == length * (length - 1) / 2 && found == length;
  drop(list);
  return correct;
}

static SHIM_NOINLINE bool run(uint64_t size, uint64_t *checksum) {
  struct cell *list = NULL;
  SHIM_FRAME(list);
  list = make(size);
  for (unsigned bit = 40; bit < 48; bit++) list = shuffle(list, bit);
  shim_checkpoint();
  bool correct = true;
  for (uint64_t made = 0; made < 32 * size; made += 100) correct = short_list(100) && correct;
  uint64_t length, total = sum(list, &length);
  correct = correct && length == size && total == size * (size - 1) / 2;
  for (const struct cell *cell = list; cell; cell = cell->next) *checksum = *checksum * 31 + cell->value;
  drop(list);
  SHIM_END();
  return correct;
}

int main(int argc, char **argv) {
  uint64_t size = shim_begin(argc, argv, 300000, __builtin_frame_address(0));
  cell_kind = shim_define("cell", sizeof(struct cell), 1);
  uint64_t checksum = 0;
  bool correct = run(size, &checksum);
  return shim_finish(correct, checksum);
}
