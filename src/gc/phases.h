/* The host's functions at the end of marking and before sweeping. */
#ifndef MIDDEN_GC_PHASES_H
#define MIDDEN_GC_PHASES_H

#include "base/arena.h"
#include "base/table.h"
#include "midden/finalize.h"

struct core;

struct phases {
  struct phase_hook {
    midden_phase_function function;
    void *context;
    bool pins;
  } *hooks;
  size_t count, capacity;
  struct table held; /* of midden_word *: slots that midden_marking_mark marked, to be fixed when objects move after that */
  bool pinned;       /* something was pinned that may not be marked */
};

struct midden_marking {
  struct core *core;
  midden_phase phase;
  bool pins;
  bool tracing; /* called from tracing (hits.h): what is marked is scanned when the tracer comes by, not at once */
};

midden_status mdn_phases_add(struct phases *phases, struct arena *arena, struct phase_hook hook);
midden_status mdn_phases_remove(struct phases *phases, midden_phase_function function, const void *context);

/* At the start of a collection. */
void mdn_phases_begin(struct core *core);

/* Calls them. In the last phase: first takes away the pins of what was not marked. */
void mdn_phases_run(struct core *core, midden_phase phase);

/* For fixing: the slots that midden_marking_mark was given in this collection. */
void mdn_phases_visit_held(const struct phases *phases, midden_visitor *visitor);

void mdn_phases_close(struct core *core);

#endif
