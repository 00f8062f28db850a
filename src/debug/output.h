/* Where reports go: a host's writer, through a buffer; or lines to the heap's own report. The first failure ends it:
 * what comes after is dropped, and output_close says so. */
#ifndef MIDDEN_DEBUG_OUTPUT_H
#define MIDDEN_DEBUG_OUTPUT_H

#include <stdio.h>

#include "midden/graph.h"

#define OUTPUT_BUFFER 4096

struct output {
  midden_heap *heap;           /* where lines go without a writer */
  const midden_writer *writer; /* or NULL */
  bool failed;
  int error;                   /* errno, when it failed */
  size_t count;
  char buffer[OUTPUT_BUFFER];
};

/* pre: a heap or a writer. */
void mdn_output_open(struct output *output, midden_heap *heap, const midden_writer *writer);
/* Writes the rest. post: MIDDEN_OK; or IO_ERROR and *error. `what` is what could not be written. */
midden_status mdn_output_close(struct output *output, const char *what, midden_error *error);

/* post: IO_ERROR, and *error says that `what` could not be written and what `number` (errno, or 0) means. */
midden_status mdn_output_refused(const char *what, int number, midden_error *error);

/* A line, without its end, of at most 500 bytes. */
__attribute__((format(printf, 2, 3))) void mdn_output_line(struct output *output, const char *format, ...);

/* Bytes as they are. pre: a writer. */
void mdn_output_bytes(struct output *output, const char *bytes, size_t count);
void mdn_output_text(struct output *output, const char *text);
void mdn_output_number(struct output *output, uint64_t number);

/* A writer for a file. */
midden_writer mdn_output_file(FILE *file);

/* "12.3 MiB". */
const char *mdn_output_bytes_text(uint64_t bytes, char text[24]);

#endif
