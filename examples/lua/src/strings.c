/* The string table: short strings are interned, and it does not keep them. It is swept before any lookup can meet a dead
 * string: in a full collection whole, in a minor one by the strings that are young. */
#include "guest.h"

#include <stdlib.h>

#include "lmem.h"
#include "lstring.h"

#define YOUNG_LEAST ((size_t)1 << 10)
#define YOUNG_MOST ((size_t)1 << 20) /* beyond, a minor collection looks at all strings */
#define PREFETCH_DISTANCE 8          /* buckets */

void guest_note_young_string(struct guest *guest, TString *string) {
  young_strings *young = &guest->young;
  if (young->count == young->capacity) {
    size_t capacity = young->capacity ? 2 * young->capacity : YOUNG_LEAST;
    TString **strings = capacity <= YOUNG_MOST ? realloc(young->strings, capacity * sizeof *strings) : NULL;
    if (!strings) {
      young->overflowed = true;
      return;
    }
    young->strings = strings;
    young->capacity = capacity;
  }
  young->strings[young->count++] = string;
}

/* A string that lives: stores of it into old objects are not told of from now on. */
static inline void settle_live(const struct guest *guest, TString *string) {
  if (guest->blacken) string->marked = cast_byte((string->marked & ~WHITEBITS) | bitmask(BLACKBIT));
}

static void sweep_bucket(const struct guest *guest, const midden_marking *marking, TString **link) {
  TString *string;
  while ((string = *link) != NULL) {
    if (midden_marking_is_marked(marking, (uintptr_t)string)) {
      settle_live(guest, string);
      link = &string->u.hnext;
    } else {
      *link = string->u.hnext;
      guest->state->strt.nuse--;
    }
  }
}

static void sweep_table(const struct guest *guest, const midden_marking *marking) {
  stringtable *table = &guest->state->strt;
  for (int i = 0; i < table->size; i++) {
    if (i + PREFETCH_DISTANCE < table->size) __builtin_prefetch(table->hash[i + PREFETCH_DISTANCE]);
    sweep_bucket(guest, marking, &table->hash[i]);
  }
}

static void sweep_young(const struct guest *guest, const midden_marking *marking) {
  lua_State *L = guest->state->mainthread;
  for (size_t i = 0; i < guest->young.count; i++) {
    TString *string = guest->young.strings[i];
    if (midden_marking_is_marked(marking, (uintptr_t)string)) {
      settle_live(guest, string);
    } else {
      luaS_remove(L, string);
    }
  }
}

/* An entry cannot be empty: the message that is always there takes the place of what is dead. */
static void sweep_cache(const struct guest *guest, const midden_marking *marking) {
  global_State *g = guest->state;
  for (int i = 0; i < STRCACHE_N; i++) {
    for (int j = 0; j < STRCACHE_M; j++) {
      if (!midden_marking_is_marked(marking, (uintptr_t)g->strcache[i][j])) g->strcache[i][j] = g->memerrmsg;
    }
  }
}

void guest_sweep_strings(struct guest *guest, const midden_marking *marking) {
  if (guest->minor && !guest->young.overflowed) {
    sweep_young(guest, marking);
  } else {
    sweep_table(guest, marking);
  }
  guest->young.count = 0;
  guest->young.overflowed = false;
  sweep_cache(guest, marking);
}
