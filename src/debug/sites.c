/* Allocation sites: see sites.h. */
#include "debug/sites.h"

#include <string.h>

#include "debug/stack_text.h"
#include "roots/backtrace.h"

#define SITE_PLACES (2 * SITE_CHAINS)
#define SKIPPED_MOST 10 /* frames of our own before the host's */

bool mdn_sites_open(struct sites *sites, struct arena *arena, unsigned interval) {
  *sites = (struct sites){.interval = interval};
  sites->chains = mdn_arena_allocate(arena, SITE_CHAINS * sizeof *sites->chains);
  sites->places = mdn_arena_allocate(arena, SITE_PLACES * sizeof *sites->places);
  return sites->chains && sites->places;
}

static size_t hash_of(const struct site_frames *frames) {
  uint64_t hash = 0;
  for (size_t i = 0; i < SITE_FRAMES; i++) hash = (hash ^ frames->addresses[i]) * UINT64_C(0x9e3779b97f4a7c15);
  return (size_t)(hash >> 40) % SITE_PLACES;
}

/* The number of a chain, added if it is new. post: 0 if there are too many. */
static size_t chain_number(struct sites *sites, const struct site_frames *frames) {
  size_t place = hash_of(frames);
  for (; sites->places[place]; place = (place + 1) % SITE_PLACES) {
    size_t number = sites->places[place];
    if (memcmp(&sites->chains[number - 1], frames, sizeof *frames) == 0) return number;
  }
  if (sites->count == SITE_CHAINS) return 0;
  sites->chains[sites->count++] = *frames;
  sites->places[place] = (uint32_t)sites->count;
  return sites->count;
}

void mdn_sites_note(struct sites *sites, midden_heap *heap, uintptr_t cell) {
  if (++sites->since < sites->interval) return;
  sites->since = 0;
  struct site_frames frames = {{0}};
  if (mdn_backtrace(frames.addresses, SITE_FRAMES) == 0) return;
  size_t number = chain_number(sites, &frames);
  uint64_t *word = number ? mdn_side_add(&heap->core, &heap->core.sites, cell) : NULL;
  if (word) *word = (uint64_t)number << 40 | heap->figures.collections;
}

void mdn_sites_text(const struct sites *sites, site_word site, struct text *text) {
  size_t number = site_chain(site);
  if (number == 0 || number > sites->count) return;
  const uintptr_t *addresses = sites->chains[number - 1].addresses;
  size_t first = 0;
  while (first < SKIPPED_MOST && addresses[first] && mdn_stack_is_ours(addresses[first])) first++;
  mdn_text_add(text, "allocated after collection %zu by ", (size_t)site_collections(site));
  for (size_t i = first; i < SITE_FRAMES && addresses[i]; i++) {
    if (i > first) mdn_text_add(text, " < ");
    mdn_stack_text_short(text, addresses[i], true);
  }
}
