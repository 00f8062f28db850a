/* Memory for a state: Lua's allocation function over midden's raw blocks, and objects.
 *
 * A state begins before its heap does: lua_newstate takes the main block and the first stack from the function it was
 * given. The heap takes over with the first object; those two are known by their addresses, and the main block's end
 * is the heap's. */
#include "guest.h"

#include <string.h>

bool guest_follow_thread(struct guest *guest) {
  pthread_t here = pthread_self();
  if (pthread_equal(guest->user, here) || midden_adopt(guest->mutator, NULL, NULL) != MIDDEN_OK) return false;
  guest->user = here;
  return true;
}

void *guest_new_object(struct guest *guest, midden_kind kind, size_t size) {
  void *object = midden_alloc_sized(guest->mutator, kind, size);
  if (l_unlikely(!object) && guest_follow_thread(guest)) object = midden_alloc_sized(guest->mutator, kind, size);
  return object;
}

/* What lua_newthread asks for before 5.4.5: a thread is an object, although it comes through this function. Lua counts the
 * bytes that it asked for; the cell's rest is counted here. */
static void *new_thread(struct guest *guest, size_t size) {
  void *object = guest_new_object(guest, guest->thread, size);
  if (!object) return NULL;
  account_object(guest, guest->thread.cell_size);
  guest->state->GCdebt -= (l_mem)size;
  return object;
}

static void *new_block(struct guest *guest, size_t old_size, size_t new_size) {
  if (new_size == 0) return NULL;
  if (l_unlikely(old_size == LUA_TTHREAD && new_size == sizeof(thread_block)) && !LUA_HAS_NEWOBJDT) {
    return new_thread(guest, new_size);
  }
  return midden_block_alloc(guest->mutator, new_size);
}

/* The first stack, when it grows or goes. */
static void *replace_first_stack(struct guest *guest, size_t old_size, size_t new_size) {
  void *block = new_size ? midden_block_alloc(guest->mutator, new_size) : NULL;
  if (new_size && !block) return NULL;
  if (block) memcpy(block, guest->first_stack, old_size < new_size ? old_size : new_size);
  guest->first_alloc(guest->first_data, guest->first_stack, old_size, 0);
  guest->first_stack = NULL;
  return block;
}

/* What is no block of the heap: a thread, whose cell the collector takes back and counts; or what is older. */
static void *other(struct guest *guest, void *block, size_t old_size, size_t new_size) {
  if (block == guest->first_stack) return replace_first_stack(guest, old_size, new_size);
  if (block == guest->main_block && new_size == 0) {
    lua_Alloc alloc = guest->first_alloc;
    void *data = guest->first_data;
    guest_close(guest);
    return alloc(data, block, old_size, 0);
  }
  if (old_size == sizeof(thread_block) && new_size == 0) guest->state->GCdebt += (l_mem)old_size;
  return NULL;
}

void *guest_allocate(void *data, void *block, size_t old_size, size_t new_size) {
  struct guest *guest = data;
  if (!block) return new_block(guest, old_size, new_size);
  if (new_size == 0) {
    if (l_likely(midden_block_free(guest->mutator, block) == MIDDEN_OK)) return NULL;
    return other(guest, block, old_size, 0);
  }
  void *moved = midden_block_realloc(guest->mutator, block, new_size);
  if (l_unlikely(!moved) && block == guest->first_stack) return replace_first_stack(guest, old_size, new_size);
  return moved;
}
