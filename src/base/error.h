/* Filling a midden_error: one sentence, and the status as the function's result. */
#ifndef MIDDEN_BASE_ERROR_H
#define MIDDEN_BASE_ERROR_H

#include "midden/status.h"

/* post: returns `status`; *error (may be NULL) has it and the formatted sentence. */
__attribute__((format(printf, 3, 4))) midden_status mdn_error(midden_error *error, midden_status status,
                                                              const char *format, ...);

#endif
