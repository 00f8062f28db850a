/* Where samples were allocated: stacks of the guest's calls or of C functions, kept once each. */
#include <string.h>

#include "debug/profile.h"
#include "roots/backtrace.h"

#define TEXT_MOST 255 /* bytes of a name that are kept */

/* A frame for a key and what follows it. post: NULL if there is no memory. */
static struct frame *make_frame(struct profile *profile, const void *key, size_t bytes) {
  struct frame *frame = mdn_intern(&profile->frames, &profile->heap->core.arena, key, bytes);
  if (frame && frame->id == 0) frame->id = profile->frames.count;
  return frame;
}

static struct frame *plain_frame(struct profile *profile, enum frame_sort sort, uint64_t value) {
  struct frame_key key = {sort, value};
  return make_frame(profile, &key, sizeof key);
}

/* A guest's call: the key is followed by its function and its file, each terminated. */
static struct frame *guest_frame(struct profile *profile, const midden_guest_frame *guest) {
  struct {
    struct frame_key key;
    char texts[2 * (TEXT_MOST + 1)];
  } whole = {.key = {FRAME_GUEST, (uint64_t)guest->line}};
  const char *function = guest->function ? guest->function : "?", *file = guest->file ? guest->file : "";
  size_t length = strnlen(function, TEXT_MOST), file_length = strnlen(file, TEXT_MOST);
  memcpy(whole.texts, function, length);
  memcpy(whole.texts + length + 1, file, file_length);
  return make_frame(profile, &whole, sizeof whole.key + length + 1 + file_length + 1);
}

/* post: how many frames the guest has told; 0 also if it has no function for that. */
static size_t guest_stack(struct profile *profile, struct mutator *mutator, struct site_key *key) {
  midden_guest_frame guests[PROFILE_FRAMES];
  if (!profile->guest) return 0;
  memset(guests, 0, sizeof guests);
  profile->heap->collecting = true; /* whatever it calls is refused */
  size_t count = profile->guest(profile->guest_context, &mutator->face, guests, PROFILE_FRAMES);
  profile->heap->collecting = false;
  count = size_minimum(count, PROFILE_FRAMES);
  for (size_t i = 0; i < count; i++) key->frames[i] = guest_frame(profile, &guests[i]);
  return count;
}

static size_t native_stack(struct profile *profile, struct site_key *key) {
  uintptr_t addresses[PROFILE_FRAMES];
  size_t count = mdn_backtrace(addresses, PROFILE_FRAMES);
  for (size_t i = 0; i < count; i++) key->frames[i] = plain_frame(profile, FRAME_NATIVE, addresses[i]);
  return count;
}

struct site *mdn_profile_site(struct profile *profile, struct mutator *mutator, uint16_t kind) {
  struct site_key key;
  key.kind = kind;
  key.depth = guest_stack(profile, mutator, &key);
  if (key.depth == 0) key.depth = native_stack(profile, &key);
  if (key.depth == 0) key.frames[key.depth++] = plain_frame(profile, FRAME_KIND, kind);
  for (size_t i = 0; i < key.depth; i++) {
    if (!key.frames[i]) return NULL;
  }
  return mdn_intern(&profile->sites, &profile->heap->core.arena, &key,
                    offsetof(struct site_key, frames) + key.depth * sizeof *key.frames);
}

/* ---- names, when the profile is written ---- */

static const char *copy_frame_name(struct profile *profile, const char *name) {
  size_t length = strlen(name);
  char *copy = mdn_arena_allocate(&profile->heap->core.arena, length + 1);
  return copy ? memcpy(copy, name, length) : NULL;
}

static const char *native_name(struct profile *profile, uint64_t address) {
  char name[TEXT_MOST + 1];
  size_t offset;
  if (!mdn_backtrace_name((uintptr_t)address, true, name, sizeof name, &offset)) {
    snprintf(name, sizeof name, "%#zx", (size_t)address);
  }
  return copy_frame_name(profile, name);
}

const char *mdn_profile_frame_name(struct profile *profile, struct frame *frame, const char **file, int64_t *line) {
  const struct frame_key *key = intern_key(&profile->frames, frame);
  *file = "";
  *line = 0;
  if (key->sort == FRAME_GUEST) {
    const char *name = (const char *)(key + 1);
    *file = name + strlen(name) + 1;
    *line = (int64_t)key->value;
    return name;
  }
  if (key->sort == FRAME_KIND) return profile->heap->core.kinds.kinds[key->value].name;
  if (!frame->name) {
    frame->name = native_name(profile, key->value);
    frame->library = frame->name && (strncmp(frame->name, "midden_", 7) == 0 || strncmp(frame->name, "mdn_", 4) == 0);
  }
  return frame->name;
}
