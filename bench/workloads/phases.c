/* A change of phase that fragments: SIZE (1 000 000) objects of 16 to 128 bytes are made, nine tenths are dropped
 * at random, as many bytes of objects of 144 to 256 are made, and nine tenths of everything are dropped. Prints how
 * much memory is held for each byte that is alive after each of the two droppings, when the contestant has been
 * asked to give back what it does not need: resident_to_live is what the system says, less what the process held
 * at its start; committed_to_live what the contestant says, if it says. */
#include "shim.h"

enum { KINDS = 8, QUANTUM = 16 }; /* sizes: 16, 32 ... 128; later 8 more, 144 ... 256 */

struct object {
  struct object *next;
  uint32_t size, stamp;
};

static shim_kind kinds[2 * KINDS];
static size_t resident_at_start;

static SHIM_NOINLINE struct object *new_object(unsigned kind, struct object *next) {
  SHIM_FRAME(next);
  uint32_t size = (kind + 1) * QUANTUM;
  struct object *object = shim_allocate(kinds[kind], size);
  object->size = size;
  object->stamp = ~size;
  shim_store(object, &object->next, next);
  SHIM_END();
  return object;
}

/* Makes objects of kinds from `first` on until they have `bytes` bytes. */
static SHIM_NOINLINE struct object *make(unsigned first, uint64_t bytes, struct object *list) {
  SHIM_FRAME(list);
  for (uint64_t made = 0; made < bytes; made += list->size) {
    list = new_object(first + (unsigned)shim_random_below(KINDS), list);
  }
  SHIM_END();
  return list;
}

/* Drops nine of ten objects; the rest keeps its order. */
static SHIM_NOINLINE struct object *drop_most(struct object *list) {
  struct object *kept = NULL, *last = NULL;
  for (struct object *next; list; list = next) {
    next = list->next;
    if (shim_random_below(10) != 0) {
      shim_free(list);
      continue;
    }
    shim_store(list, &list->next, NULL);
    if (last) {
      shim_store(last, &last->next, list);
    } else {
      kept = list;
    }
    last = list;
  }
  return kept;
}

static SHIM_NOINLINE uint64_t live_bytes(const struct object *list, bool *correct) {
  uint64_t bytes = 0;
  for (; list; list = list->next) {
    *correct = *correct && list->stamp == ~list->size;
    bytes += list->size;
  }
  return bytes;
}

/* Says what is held for each live byte. */
static SHIM_NOINLINE uint64_t say(const char *when, const struct object *list, bool *correct) {
  uint64_t live = live_bytes(list, correct);
  size_t resident = shim_status_kib("VmRSS") - resident_at_start, committed = shim_committed();
  printf("resident_to_live_%s=%.3f\n", when, (double)resident * 1024 / (double)live);
  if (committed) printf("committed_to_live_%s=%.3f\n", when, (double)committed / (double)live);
  return live;
}

static SHIM_NOINLINE bool run(uint64_t count, uint64_t *checksum) {
  bool correct = true;
  uint64_t bytes = count * QUANTUM * (KINDS + 1) / 2;
  struct object *list = NULL;
  SHIM_FRAME(list);
  list = make(0, bytes, NULL);
  shim_checkpoint();
  list = drop_most(list);
  shim_settle();
  *checksum = say("dropped", list, &correct);
  list = make(KINDS, bytes - *checksum, list);
  shim_checkpoint();
  list = drop_most(list);
  shim_settle();
  *checksum = *checksum * 31 + say("again", list, &correct);
  SHIM_END();
  return correct;
}

int main(int argc, char **argv) {
  resident_at_start = shim_status_kib("VmRSS");
  uint64_t count = shim_begin(argc, argv, 1000000, __builtin_frame_address(0));
  for (unsigned i = 0; i < 2 * KINDS; i++) kinds[i] = shim_define("object", (i + 1) * QUANTUM, 1);
  uint64_t checksum = 0;
  bool correct = run(count, &checksum);
  return shim_finish(correct, checksum);
}
