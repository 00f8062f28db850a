/* The options: one table drives parsing, printing and help. */
#ifndef MIDDEN_HEAP_OPTION_TABLE_H
#define MIDDEN_HEAP_OPTION_TABLE_H

#include "midden/config.h"

/* One option. `accepted` completes the sentence "... is not ...": what the value must be. */
struct option {
  const char *name;
  const char *accepted;
  const char *meaning;
  bool (*parse)(midden_config *config, const char *text);
  void (*print)(const midden_config *config, char *text, size_t capacity);
};

extern const struct option mdn_options[];
extern const size_t mdn_option_count;

#endif
