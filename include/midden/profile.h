/* The allocation profile: who allocates, and whose objects live, by samples.
 *
 * A heap that is opened with profile=BYTES takes a sample of its allocations every so many bytes on average, at random
 * (a Poisson process over the bytes of each mutator's cells; the same program gives the same samples). It does so where
 * an allocation leaves the inlined path, so allocation itself costs the same. An object of `size` bytes is sampled with
 * the probability p = 1 - exp(-size / BYTES), and then stands for 1 / p objects of its size: so every sum is right on
 * average, whatever the sizes. Samples are followed until their objects die.
 *
 * With profile=BYTES:FILE the profile is written when the heap is closed. A '%' in FILE stands for the first number
 * that makes a new file. */
#ifndef MIDDEN_PROFILE_H
#define MIDDEN_PROFILE_H

#include "midden/heap.h"
#include "midden/writer.h"

MIDDEN_BEGIN_DECLARATIONS

/* A call in the language that the host runs. The strings are copied. */
typedef struct midden_guest_frame {
  const char *function; /* NULL: without a name */
  const char *file;     /* NULL: not known */
  int64_t line;         /* 0: not known */
} midden_guest_frame;

/* Fills frames[0], the innermost call, and up, at most `capacity`. post: how many; 0: the stack of C functions is
 * taken instead, if the library was built with libunwind.
 * Runs inside an allocation, for samples only. It may read the host's memory and objects. Calls that use the heap are
 * answered with MISUSE: it must not allocate from the heap, collect, or change it. */
typedef size_t (*midden_guest_stack_function)(void *context, midden_mutator *mutator, midden_guest_frame *frames,
                                              size_t capacity);

/* Sets the function that tells the guest's calls; NULL: none. A heap without a profile takes note of nothing.
 * post: MIDDEN_OK; MISUSE. Owner thread. Does not collect. */
MIDDEN_API midden_status midden_profile_guest(midden_heap *heap, midden_guest_stack_function function, void *context);

/* Estimates over all samples of one kind, or of all kinds (kind_id 0). */
typedef struct midden_profile_totals {
  uint64_t samples;      /* taken */
  uint64_t live_samples; /* of these, whose objects no collection has found dead */
  double objects, bytes; /* allocated since the heap was opened, estimated */
  double live_objects, live_bytes;
} midden_profile_totals;

/* Fills *totals. post: MIDDEN_OK; UNSUPPORTED (no profile), BAD_ARGUMENT, MISUSE, and *totals is untouched. Cost:
 * proportional to the number of allocation sites. Does not collect. Owner thread. */
MIDDEN_API midden_status midden_profile_read(midden_heap *heap, uint16_t kind_id, midden_profile_totals *totals);

/* Writes the profile in pprof's format (profile.proto, not compressed), with the sample types alloc_objects,
 * alloc_space, inuse_objects and inuse_space, as Go's heap profile has, and the kind as a label. What is in use is what
 * the last collection left. Names of functions are looked up now.
 * post: MIDDEN_OK; or IO_ERROR (what was written is useless), UNSUPPORTED (no profile), NO_MEMORY, BAD_ARGUMENT, MISUSE,
 * and *error (may be NULL). Does not collect. Owner thread. */
MIDDEN_API midden_status midden_profile_write(midden_heap *heap, const midden_writer *writer, midden_error *error);

/* The same into a file, which is created or emptied; a '%' in its name is as in the option.
 * post: as above; also CONFLICT: another heap is writing to it. */
MIDDEN_API midden_status midden_profile_save(midden_heap *heap, const char *path, midden_error *error);

MIDDEN_END_DECLARATIONS

#endif
