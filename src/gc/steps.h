/* The steps of a collection, and when each began: for the log, timelines and probes. It costs one reading of the
 * clock for each step of a collection, and nothing between collections. */
#ifndef MIDDEN_GC_STEPS_H
#define MIDDEN_GC_STEPS_H

#include "base/os.h"
#include "base/probes.h"

/* In the order in which most collectors take them; one may come more than once, or not at all. */
enum gc_step {
  STEP_PREPARE,  /* marks of the last collection are cleared, spans chosen */
  STEP_ROOTS,    /* roots are visited */
  STEP_TRACE,    /* what they reach is marked, or copied */
  STEP_LIVENESS, /* weak references, ephemerons, finalizers, the host's functions */
  STEP_FREE,     /* on_free of dead objects */
  STEP_MOVE,     /* live objects are moved, and references rewritten */
  STEP_SWEEP,    /* spans are sorted into full, partly used and free */
  STEP_RETURN    /* free pages go back to the system */
};
#define STEP_KINDS (STEP_RETURN + 1)
#define STEPS_MOST 16

struct step_log {
  struct step_start {
    enum gc_step step;
    uint64_t at; /* the clock */
  } starts[STEPS_MOST];
  unsigned count;
};

static inline const char *step_name(enum gc_step step) {
  static const char *const names[STEP_KINDS] = {"prepare", "roots", "trace", "liveness", "free", "move", "sweep", "return"};
  return names[step];
}

/* Ends the last step. */
static inline void step_end(const struct step_log *log) {
  if (log->count > 0) probe_step_end((int)log->starts[log->count - 1].step);
}

/* Ends the step that was under way, and begins another. */
static inline void step_begin(struct step_log *log, enum gc_step step) {
  step_end(log);
  probe_step_begin((int)step);
  if (log->count < STEPS_MOST) log->starts[log->count++] = (struct step_start){step, mdn_os_clock()};
}

#endif
