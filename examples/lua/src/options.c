/* Options of a state: the heap's own, as midden_config_parse takes them, and those of this collector. */
#include "guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVERY "collect-every="

static midden_status refuse(midden_error *error, midden_status status, const char *message, const char *text) {
  if (!error) return status;
  error->status = status;
  snprintf(error->message, sizeof error->message, message, text);
  return status;
}

/* post: whether `text` up to `end` is a size such as 64K. */
static bool parse_size(const char *text, const char *end, size_t *size) {
  char *rest;
  if (text == end || *text < '0' || *text > '9') return false;
  unsigned long long value = strtoull(text, &rest, 10);
  unsigned shift = rest == end ? 0 : rest + 1 != end ? 99 : *rest == 'K' ? 10 : *rest == 'M' ? 20 : *rest == 'G' ? 30 : 99;
  if (shift == 99 || value > (SIZE_MAX / 4) >> shift) return false;
  *size = (size_t)value << shift;
  return true;
}

/* One option of ours, or it is copied to those of the heap. */
static midden_status take(struct guest *guest, const char *option, const char *end, char *rest, midden_error *error) {
  size_t length = (size_t)(end - option), mine = strlen(EVERY);
  if (length < mine || strncmp(option, EVERY, mine) != 0) {
    if (*rest) strcat(rest, ",");
    strncat(rest, option, length);
    return MIDDEN_OK;
  }
  if (parse_size(option + mine, end, &guest->pace.every)) return MIDDEN_OK;
  return refuse(error, MIDDEN_BAD_OPTION, "option collect-every: \"%.60s\" is not a size such as 0, 4K or 1M", option + mine);
}

static midden_status check(const midden_config *config, midden_error *error) {
  if (config->stack == MIDDEN_STACK_PRECISE) {
    return refuse(error, MIDDEN_CONFLICT, "Lua's virtual machine keeps references in C locals: %s",
                  "stack=precise does not work, only pinning and conservative do");
  }
  if (config->collecting != MIDDEN_COLLECTING_ASKED) {
    return refuse(error, MIDDEN_CONFLICT, "Lua can be interrupted by a collection at certain points only: %s",
                  "only collect=asked works");
  }
  return MIDDEN_OK;
}

midden_status guest_parse_options(struct guest *guest, midden_config *config, const char *options, midden_error *error) {
  char *rest = calloc(1, strlen(options) + 1);
  if (!rest) return refuse(error, MIDDEN_NO_MEMORY, "no memory for %s", "the options");
  midden_status status = MIDDEN_OK;
  for (const char *option = options; status == MIDDEN_OK && *option;) {
    const char *end = option + strcspn(option, ",");
    status = take(guest, option, end, rest, error);
    option = *end ? end + 1 : end;
  }
  if (status == MIDDEN_OK) status = midden_config_parse(config, rest, error);
  free(rest);
  return status == MIDDEN_OK ? check(config, error) : status;
}
