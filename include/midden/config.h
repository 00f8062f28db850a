/* Configuration: what a heap is opened with. One table drives parsing, printing and help, so
 * every option here is reachable from one string or one environment variable of the host's. */
#ifndef MIDDEN_CONFIG_H
#define MIDDEN_CONFIG_H

#include "midden/status.h"

MIDDEN_BEGIN_DECLARATIONS

typedef struct midden_heap midden_heap;

typedef enum midden_stack_mode {
  MIDDEN_STACK_CONSERVATIVE = 0, /* the C stack and registers are scanned; what they hit is pinned, and so kept alive */
  MIDDEN_STACK_PRECISE,          /* they are not: only registered roots, frames and handles are roots */
  MIDDEN_STACK_PINNING           /* they are scanned, and what they hit stays in place as long as it lives; but roots are
                                    only those of MIDDEN_STACK_PRECISE. For hosts whose C code has in its locals nothing that
                                    is not reachable otherwise, but does not read its locals again after a collection */
} midden_stack_mode;

typedef enum midden_collecting {
  MIDDEN_COLLECTING_AUTO = 0, /* allocation collects: when enough was allocated, and when memory is refused */
  MIDDEN_COLLECTING_ASKED     /* only midden_collect and midden_defragment do: see midden_collection_due */
} midden_collecting;

typedef enum midden_growth {
  MIDDEN_GROWTH_RATIO = 0, /* collect when the heap reaches growth_factor times the last live size */
  MIDDEN_GROWTH_FIXED,     /* collect only when heap-limit is full */
  MIDDEN_GROWTH_BALANCE    /* MemBalancer's square-root rule (Kirisame, Shenoy, Panchekha 2022) */
} midden_growth;

typedef enum midden_stress {
  MIDDEN_STRESS_OFF = 0,
  MIDDEN_STRESS_ALLOC, /* collect at every stress_value-th allocation */
  MIDDEN_STRESS_RANDOM /* collect at random allocations, one in stress_mean on average, seeded by stress_value */
} midden_stress;

typedef enum midden_guard {
  MIDDEN_GUARD_OFF = 0,
  MIDDEN_GUARD_FAULT, /* pages that objects have left are made inaccessible: a stale pointer faults at its use */
  MIDDEN_GUARD_REPORT /* and a handler for SIGSEGV reports what the pointer led to: see debug.h */
} midden_guard;

typedef enum midden_unrooted {
  MIDDEN_UNROOTED_OFF = 0,
  MIDDEN_UNROOTED_LOST, /* with precise roots: report references on the C stack to objects that no root leads to */
  MIDDEN_UNROOTED_ALL   /* and those to objects that have moved */
} midden_unrooted;

typedef enum midden_verify_mode {
  MIDDEN_VERIFY_OFF = 0,
  MIDDEN_VERIFY_BEFORE = 1, /* walk the whole heap before each collection */
  MIDDEN_VERIFY_AFTER = 2,  /* and/or after it */
  MIDDEN_VERIFY_BOTH = 3
} midden_verify_mode;

/* Which words are references. A word w is one when its low three bits t satisfy
 * (low_tags >> t) & 1, when (w & high_mask) == high_match, and when w without those bits points
 * into the heap; it then must point to the start of an object. Tags survive a move.
 * The default (low_tags 1, no high bits) is plain aligned pointers; immediates whose low bits
 * are not in low_tags are never taken for references, and NULL never is. */
typedef struct midden_references {
  uint8_t low_tags;
  uint64_t high_mask;
  uint64_t high_match;
} midden_references;

/* Where a heap gets its memory: replaceable, so that a host can supply its own and a test can
 * make the n-th request fail. All sizes are in bytes and multiples of the page size (4096).
 * Functions must not call back into the heap. */
typedef struct midden_memory {
  /* Reserves address space without backing it. post: page aligned, or NULL. */
  void *(*reserve)(void *context, size_t bytes);
  /* Makes reserved memory usable. post: true and the range reads zero if it was never committed
   * or was decommitted since; or false and nothing has changed. */
  bool (*commit)(void *context, void *address, size_t bytes);
  /* Gives the backing of a committed range back; it reads zero when used again.
   * The range stays usable, without another commit. */
  void (*decommit)(void *context, void *address, size_t bytes);
  /* Ends a reservation. */
  void (*release)(void *context, void *address, size_t bytes);
  void *context;
  /* May be NULL. Says that a usable range is about to be written to for the first time: backing it at once is
   * cheaper than a page fault for each 4 KiB. It may do less, or nothing; what the range reads stays as it is. */
  void (*populate)(void *context, void *address, size_t bytes);
} midden_memory;

/* Receives log lines and reports (one line, no newline at its end) instead of `log`'s target.
 * Must not call back into the heap. */
typedef void (*midden_report_function)(void *context, const char *line);

typedef enum midden_pressure {
  MIDDEN_PRESSURE_SOFT, /* after a full collection more lives than soft-limit; `bytes`: by how much */
  MIDDEN_PRESSURE_HARD  /* an allocation of `bytes` (0: of a small object) is about to fail */
} midden_pressure;

/* Asks the host to drop what it can spare: caches, memoised results. Runs in the thread of the allocation or
 * collection that met the limit, between collections. It may overwrite and remove roots, unpin, take external memory
 * off the account, give memory back to the system and read statistics; it must not touch objects by addresses that
 * it kept elsewhere than in roots, and allocating, collecting, detaching and closing are answered with MISUSE.
 * post: true if something was dropped, so that collecting again is worth it. */
typedef bool (*midden_pressure_function)(void *context, midden_heap *heap, midden_pressure pressure, size_t bytes);

typedef struct midden_config {
  char collector[24];           /* "mark-sweep", "mark-compact", "copying", "none" */
  midden_stack_mode stack;
  size_t heap_limit;            /* bytes of cells; metadata comes on top, and free pages that are not yet
                                   returned, at most a sixteenth; 0: the machine's memory, or what a
                                   container or RLIMIT_AS leaves of it */
  size_t soft_limit;            /* bytes that live beyond which the heap collects more often, and asks `pressure`; 0: none */
  unsigned collect_share;       /* percent of time spent collecting at which allocation fails instead; 0: off */
  bool generational;            /* minor collections of what was allocated since the last one */
  size_t nursery;               /* bytes allocated between minor collections; 0: chosen by the heap */
  size_t heap_initial;          /* bytes allocated before the first collection */
  midden_growth growth;
  double growth_factor;         /* ratio: > 1; balance: the rule's constant c, in 1/bytes, > 0 */
  unsigned dense_span;          /* mark-compact: percent; spans at the beginning that are so full stay; 1 to 100 */
  midden_stress stress;
  uint64_t stress_value;        /* alloc: N >= 1; random: the seed */
  uint64_t stress_mean;         /* random: one allocation in so many; >= 1 */
  midden_verify_mode verify;
  midden_guard guard;
  unsigned guard_sites;         /* guard=report: note where every N-th object was allocated; 0: none */
  midden_unrooted unrooted;
  bool poison;                  /* fill freed and evacuated cells with a word that names the path */
  bool memory_checker;          /* under AddressSanitizer or valgrind's memcheck: free cells are hidden from the program */
  bool run_finalizers;          /* when the heap is closed, those that have not run are run; else dropped */
  char log[128];                /* "off", "stderr" or a file's path without comma: a line for each collection */
  midden_references references; /* set by the host in code; not an option of the string */
  uint64_t cleared;             /* what a weak reference is set to when its object is gone: 0, or a word that is no
                                   reference by its low or high bits, or is less than 4096; as `references` */
  const midden_memory *memory;  /* NULL: the operating system */
  midden_report_function report;
  void *report_context;
  midden_pressure_function pressure; /* NULL: the host has nothing to spare */
  void *pressure_context;
  unsigned census;              /* censuses kept, of the last full collections (graph.h): 2 to 1000; 0: none */
  char timeline[128];           /* "" or "off", or a file's path without comma: what happens over time, for Perfetto; a '%'
                                   is the first number that makes a new file */
  size_t profile;               /* mean bytes between two samples of the allocation profile (profile.h); 0: none */
  char profile_file[104];       /* "", or where the profile is written when the heap is closed */
  midden_collecting collecting; /* the option `collect` */
} midden_config;

#define MIDDEN_CONFIG_DEFAULT                                                                        \
  {                                                                                                  \
    "mark-sweep", MIDDEN_STACK_CONSERVATIVE, 0, 0, 0, false, 0, (size_t)4 << 20, MIDDEN_GROWTH_RATIO, 2.0, 90, \
        MIDDEN_STRESS_OFF, 0, 64, MIDDEN_VERIFY_OFF, MIDDEN_GUARD_OFF, 0, MIDDEN_UNROOTED_OFF, false, true, false, "off", \
        {1, 0, 0}, 0, NULL, NULL, NULL, NULL, NULL, 0, "", 0, "", MIDDEN_COLLECTING_AUTO \
  }

/* Applies "name=value,name=value" to a configuration.
 * pre: config was initialised with MIDDEN_CONFIG_DEFAULT.
 * post: MIDDEN_OK; or MIDDEN_BAD_OPTION, *config untouched, and *error (may be NULL) names the
 * option, the bad text and what is accepted. Sizes take K, M, G. Does not collect. Any thread. */
MIDDEN_API midden_status midden_config_parse(midden_config *config, const char *options, midden_error *error);

/* The same with the text of an environment variable; an unset variable changes nothing.
 * The library reads no variable of its own. */
MIDDEN_API midden_status midden_config_env(midden_config *config, const char *variable, midden_error *error);

/* Writes the configuration as a string that midden_config_parse reads back to the same one.
 * post: the length it needs without the terminator, as snprintf; text is cut at `capacity`. */
MIDDEN_API size_t midden_config_print(const midden_config *config, char *text, size_t capacity);

/* Writes one line for each option: name, accepted values, meaning. Returns as snprintf. */
MIDDEN_API size_t midden_config_help(char *text, size_t capacity);

/* The collectors that this build has, in the build's order.
 * post: the name of the index-th, or NULL past the last. A string that lives forever. */
MIDDEN_API const char *midden_collector_name(size_t index);

MIDDEN_END_DECLARATIONS

#endif
