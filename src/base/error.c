/* Statuses and their sentences. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

midden_status mdn_error(midden_error *error, midden_status status, const char *format, ...) {
  if (error) {
    va_list arguments;
    va_start(arguments, format);
    error->status = status;
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
  }
  return status;
}

const char *midden_status_name(midden_status status) {
  static const char *const names[] = {"ok",    "no-memory", "bad-argument", "bad-option", "conflict",
                                      "limit", "misuse",    "unsupported",  "corrupt",
                                      "timed-out", "closed", "in-use",    "io-error"};
  return (size_t)status < sizeof names / sizeof names[0] ? names[status] : "unknown";
}

const char *midden_version(void) { return "0.1.0"; }
