/* The end of marking, in the order of stock's `atomic`: weak values go before what is finalized comes back to life, weak
 * keys after (Barros and Ierusalimschy 2008). Every collector marks before it moves, because keys can be pinned while
 * tables are traced: so here nothing has moved. */
#include "guest.h"

static void end_marking(struct guest *guest, midden_marking *marking) {
  guest->minor = midden_marking_is_minor(marking);
  guest_drop_dead_tables(guest, marking);
  guest_settle_thread_keys(guest, marking);
  guest_clear_values(guest, marking, NULL);
  Table *before = guest->listed;
  guest_separate_finalizable(guest, marking);
  guest_settle_thread_keys(guest, marking);
  guest_clear_values(guest, marking, before); /* of tables that have come back to life */
  guest_finish_tables(guest, marking);
  guest_sweep_strings(guest, marking);
  guest_free_dead_threads(guest, marking);
}

void guest_marking_phase(midden_marking *marking, midden_phase phase, void *context) {
  struct guest *guest = context;
  if (guest->phase == GUEST_CLOSING) return;
  if (phase == MIDDEN_MARKING_ENDS) {
    end_marking(guest, marking);
  } else {
    guest->phase = GUEST_FIXING;
  }
}
