/* Frames at a collection. A local variable lives in a slot of its frame or in a register that callees must preserve, and
 * these save it in their own frames: there it is the caller's word, not theirs. libunwind knows the places. */
#include "debug/frames.h"

#include "debug/stack_text.h"
#include "heap/heap.h"
#include "midden/midden.h"
#include "roots/registers.h"

/* Functions of the library that host code is never called from while they collect: so the outermost of them on the stack
 * is where the host's frames end. */
static bool is_entry(uintptr_t function) {
  const uintptr_t entries[] = {
      (uintptr_t)mdn_registers_call,  (uintptr_t)mdn_heap_collect,        (uintptr_t)mdn_heap_collect_last_resort,
      (uintptr_t)mdn_take_or_collect, (uintptr_t)mdn_collect_if_due,      (uintptr_t)midden_alloc_slow,
      (uintptr_t)midden_collect,      (uintptr_t)midden_alloc_sized_slow, (uintptr_t)midden_defragment,
      (uintptr_t)midden_buffer_new,   (uintptr_t)midden_buffer_adopt,     (uintptr_t)midden_buffer_acquire,
      (uintptr_t)midden_pool_close,   (uintptr_t)midden_external_room};
  for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
    if (entries[i] == function) return true;
  }
  return false;
}

/* By the name, which takes long to find: the answers are kept. */
static bool is_ours_by_name(struct frames *frames, const struct backtrace_frame *frame) {
  struct known_function *known = &frames->known[(frame->function >> 4) % FRAMES_KNOWN];
  if (known->function == frame->function) return known->ours;
  *known = (struct known_function){frame->function, mdn_stack_is_ours(frame->address)};
  return known->ours;
}

#define LIBRARY_FRAMES_MOST 32

/* A function may have left the stack because it called another one last, or may be a part that the compiler has split off
 * from one: so the frame that called mdn_registers_call is the library's in any case, and after the outermost entry
 * names decide. */
bool mdn_frames_walk(struct frames *frames) {
  frames->count = mdn_backtrace_frames(frames->list, FRAMES_MOST);
  size_t first = 0;
  for (size_t i = 0; i < frames->count && i < LIBRARY_FRAMES_MOST; i++) {
    uintptr_t function = frames->list[i].function;
    if (is_entry(function)) first = i + 1 + (function == (uintptr_t)mdn_registers_call);
  }
  if (first == 0) return false;
  while (first < frames->count && is_ours_by_name(frames, &frames->list[first])) first++;
  frames->first = first;
  return first < frames->count;
}

/* A frame that uses a register has saved it: its caller's is then kept elsewhere than its own. */
static const struct backtrace_frame *register_user(const struct frames *frames, size_t from, size_t number) {
  for (size_t i = from; i + 1 < frames->count; i++) {
    if (frames->list[i + 1].saved_at[number] != frames->list[i].saved_at[number]) return &frames->list[i];
  }
  return frames->count > from ? &frames->list[frames->count - 1] : NULL;
}

const struct backtrace_frame *mdn_frames_holder(const struct frames *frames, uintptr_t slot) {
  size_t low = frames->first, high = frames->count; /* the frame is at or after `low`, and before `high` */
  if (high < low + 2 || slot < frames->list[low].stack_pointer || slot >= frames->list[high - 1].stack_pointer) return NULL;
  while (high - low > 1) {
    size_t middle = low + (high - low) / 2;
    if (slot < frames->list[middle].stack_pointer) high = middle;
    else low = middle;
  }
  for (size_t i = 0; i < BACKTRACE_REGISTERS; i++) {
    if (frames->list[low + 1].saved_at[i] == slot) return register_user(frames, low + 1, i);
  }
  return &frames->list[low];
}

const struct backtrace_frame *mdn_frames_register_holder(const struct frames *frames, size_t number) {
  return register_user(frames, frames->first, number);
}
