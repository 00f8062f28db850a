/* The allocation profile, inside: profile.c decides which cells are sampled, profile_sites.c knows where they were
 * allocated, profile_write.c writes it all. See midden/profile.h for the statistics. */
#ifndef MIDDEN_DEBUG_PROFILE_H
#define MIDDEN_DEBUG_PROFILE_H

#include "debug/intern.h"
#include "heap/heap.h"
#include "midden/profile.h"

#define PROFILE_FRAMES 64

/* What stands at one level of a stack. */
enum frame_sort { FRAME_NATIVE, FRAME_GUEST, FRAME_KIND };

/* A call that samples were taken in. Key: struct frame_key, for a guest's call followed by its texts. */
struct frame_key {
  uint64_t sort;
  uint64_t value; /* native: the address to which it returns; guest: its line; kind: the id */
};
struct frame {
  struct interned interned;
  uint64_t id;      /* from 1, in the profile */
  const char *name; /* once it was looked up; see mdn_profile_frame_name */
  bool library;     /* it is a function of this library */
};

/* Where something was allocated. Key: struct site_key, up to its last frame. */
struct site_key {
  uint64_t kind, depth;
  struct frame *frames[PROFILE_FRAMES]; /* innermost first */
};
struct site {
  struct interned interned;
  uint64_t samples, live_samples;
  double objects, bytes, live_objects, live_bytes; /* estimated */
};

/* A sampled object that may still live: what the side table `samples` has for it. */
struct sample {
  struct profile *profile;
  struct site *site;
  double objects, bytes; /* it stands for these */
  struct sample *next;   /* of the unused ones */
};

struct profile {
  struct observer observer; /* first */
  midden_heap *heap;
  size_t interval;
  uint64_t random;
  struct address_table ahead; /* by cursor: cells before its next sample; see profile.c */
  struct intern_table frames, sites;
  struct sample *unused;
  uint64_t lost;             /* samples that memory was refused for */
  midden_guest_stack_function guest;
  void *guest_context;
  FILE *file;                /* to be written at the end, or NULL */
};

/* The profile of a heap. post: NULL if it has none. */
struct profile *mdn_profile_of(midden_heap *heap);

/* The site of an allocation that is under way. post: NULL if there is no memory for it. */
struct site *mdn_profile_site(struct profile *profile, struct mutator *mutator, uint16_t kind);

/* A frame's function and file; `file` is "" if it is not known. post: NULL if there is no memory. */
const char *mdn_profile_frame_name(struct profile *profile, struct frame *frame, const char **file, int64_t *line);

static inline const struct site_key *site_key(const struct profile *profile, const struct site *site) {
  return intern_key(&profile->sites, site);
}

/* Writes it in pprof's format. pre: nobody uses the heap meanwhile. */
midden_status mdn_profile_write_pprof(struct profile *profile, const midden_writer *writer, midden_error *error);

#endif
