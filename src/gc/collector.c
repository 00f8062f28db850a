/* The list of collectors, from the build's. */
#include "gc/collector.h"

#include <stdio.h>
#include <string.h>

#define MIDDEN_COLLECTOR(name) extern const struct collector mdn_collector_##name;
#include "gc/collector_list.h"
#undef MIDDEN_COLLECTOR

static const struct collector *const collectors[] = {
#define MIDDEN_COLLECTOR(name) &mdn_collector_##name,
#include "gc/collector_list.h"
#undef MIDDEN_COLLECTOR
};

const struct collector *mdn_collector_at(size_t index) {
  return index < sizeof collectors / sizeof collectors[0] ? collectors[index] : NULL;
}

const struct collector *mdn_collector_named(const char *name) {
  for (size_t i = 0; mdn_collector_at(i); i++) {
    if (strcmp(collectors[i]->name, name) == 0) return collectors[i];
  }
  return NULL;
}

const char *midden_collector_name(size_t index) {
  const struct collector *collector = mdn_collector_at(index);
  return collector ? collector->name : NULL;
}

void mdn_collector_list(char *text, size_t capacity) {
  size_t used = 0;
  for (size_t i = 0; mdn_collector_at(i) && used < capacity; i++) {
    const char *join = i == 0 ? "" : mdn_collector_at(i + 1) ? ", " : " or ";
    used += (size_t)snprintf(text + used, capacity - used, "%s%s", join, mdn_collector_at(i)->name);
  }
}
