/* Side tables: see side.h. */
#include "gc/side.h"

#include "gc/core.h"

uint64_t *mdn_side_add(struct core *core, struct side_table *side, uintptr_t cell) {
  uint64_t *value = mdn_address_find(&side->table, cell);
  if (value) return value;
  void *young = side->young;
  bool listed = core->generational && !bitmap_test(core->space.mark_bits, space_granule(&core->space, cell));
  if (listed) {
    if (!mdn_arena_grow(&core->arena, &young, &side->young_capacity, side->young_count + 1, sizeof(uintptr_t))) return NULL;
    side->young = young;
  }
  value = mdn_address_add(&side->table, &core->arena, cell);
  if (value && listed) side->young[side->young_count++] = cell;
  return value;
}

/* An update, while it goes over one table. */
struct update {
  struct core *core;
  struct side_table *side;
};

static uintptr_t ask(void *context, uintptr_t cell, uint64_t value) {
  const struct update *update = context;
  const struct space *space = &update->core->space;
  uintptr_t now = weak_live(space, cell) ? weak_now(space, cell) : 0;
  update->core->figures.side_entries++;
  if (!now && update->side->dropped) update->side->dropped(update->core, value);
  return now;
}

/* A young object is never copied to where another young one was: so entries can move one by one. */
static void update_young(struct update *update) {
  struct side_table *side = update->side;
  for (size_t i = 0; i < side->young_count; i++) {
    uint64_t *value = mdn_address_find(&side->table, side->young[i]);
    if (!value) continue;
    uint64_t kept = *value;
    uintptr_t now = ask(update, side->young[i], kept);
    if (now == side->young[i]) continue;
    mdn_address_remove(&side->table, side->young[i]);
    if (now) *mdn_address_add(&side->table, &update->core->arena, now) = kept; /* in the place that came free */
  }
}

static void update_table(struct core *core, struct side_table *side, bool minor) {
  struct update update = {core, side};
  if (minor) {
    update_young(&update);
  } else {
    mdn_address_rewrite(&side->table, ask, &update);
  }
  side->young_count = 0;
}

void mdn_side_update(struct core *core, bool minor) {
  for (struct move_watch *watch = core->watches; watch; watch = watch->next) watch->settled(watch, core, minor);
  update_table(core, &core->identities, minor);
  update_table(core, &core->externals, minor);
  update_table(core, &core->samples, minor);
  update_table(core, &core->sites, minor);
}

/* Moving, while it goes over a table. */
struct move {
  struct core *core;
  where_function where;
};

static uintptr_t moved_to(void *context, uintptr_t cell, uint64_t value) {
  (void)value;
  const struct move *move = context;
  bool moves = space_page_entry(&move->core->space, cell) & PAGE_EVACUATE;
  return moves ? move->where(move->core, cell) : cell;
}

void mdn_side_move(struct core *core, where_function where) {
  struct move move = {core, where};
  for (struct move_watch *watch = core->watches; watch; watch = watch->next) watch->moved(watch, core, where);
  if (core->identities.table.count) mdn_address_rewrite(&core->identities.table, moved_to, &move);
  if (core->externals.table.count) mdn_address_rewrite(&core->externals.table, moved_to, &move);
  if (core->samples.table.count) mdn_address_rewrite(&core->samples.table, moved_to, &move);
  if (core->sites.table.count) mdn_address_rewrite(&core->sites.table, moved_to, &move);
}
