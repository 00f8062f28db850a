/* Which words are references, by the heap's configuration (midden_references). */
#ifndef MIDDEN_GC_REFERENCE_H
#define MIDDEN_GC_REFERENCE_H

#include "midden/config.h"

struct reference_form {
  uint8_t low_tags;
  bool plain; /* aligned pointers and nothing else: the test is one subtraction and two compares */
  uint64_t high_mask, high_match;
};

static inline struct reference_form reference_form_of(const midden_references *references) {
  return (struct reference_form){references->low_tags, references->low_tags == 1 && references->high_mask == 0,
                                 references->high_mask, references->high_match};
}

/* If `word` is a reference into [base, base + extent): *offset is its object's.
 * `plain` is form->plain, passed so that a caller's constant specialises the test. */
static inline __attribute__((always_inline)) bool reference_offset(const struct reference_form *form, bool plain,
                                                                   uintptr_t base, size_t extent, uintptr_t word,
                                                                   size_t *offset) {
  if (plain) {
    *offset = word - base;
    return *offset < extent && (word & 7) == 0;
  }
  *offset = ((word & ~form->high_mask) & ~(uintptr_t)7) - base;
  return *offset < extent && ((form->low_tags >> (word & 7)) & 1) && (word & form->high_mask) == form->high_match;
}

#endif
