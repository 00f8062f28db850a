/* Identity hashes: a random number for each object that is asked, in a side table. Not the address of the first
 * question: that would repeat for objects that take turns at one address. */
#include "base/random.h"
#include "heap/heap.h"
#include "midden/objects.h"

uint64_t mdn_identity_of(struct core *core, uintptr_t cell) {
  uint64_t *hash = mdn_side_add(core, &core->identities, cell);
  while (hash && *hash == 0) *hash = random_next(&core->identity_random);
  return hash ? *hash : 0;
}

uint64_t midden_identity_hash(midden_mutator *face, const void *object) {
  struct mutator *mutator = mutator_of(face);
  midden_status status = mutator_enter(face);
  if (status != MIDDEN_OK) {
    if (face) mutator->last_status = status;
    return 0;
  }
  struct core *core = mutator->core;
  const uint64_t *known = mdn_address_find(&core->identities.table, (uintptr_t)object);
  if (known) return *known;
  if (!object || midden_object_at(mutator->heap, object) != object) {
    mutator->last_status = MIDDEN_BAD_ARGUMENT;
    return 0;
  }
  uint64_t hash = mdn_identity_of(core, (uintptr_t)object);
  if (!hash) mutator->last_status = MIDDEN_NO_MEMORY;
  return hash;
}
