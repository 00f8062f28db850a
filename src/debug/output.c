/* Where reports go: see output.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "debug/output.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/error.h"
#include "heap/heap.h"

void mdn_output_open(struct output *output, midden_heap *heap, const midden_writer *writer) {
  output->heap = heap;
  output->writer = writer;
  output->failed = false;
  output->error = 0;
  output->count = 0;
}

static void output_send(struct output *output, const char *bytes, size_t count) {
  if (output->failed || count == 0) return;
  errno = 0;
  if (output->writer->write(output->writer->context, bytes, count)) return;
  output->failed = true;
  output->error = errno;
}

void mdn_output_bytes(struct output *output, const char *bytes, size_t count) {
  if (count > OUTPUT_BUFFER - output->count) {
    output_send(output, output->buffer, output->count);
    output->count = 0;
  }
  if (count > OUTPUT_BUFFER) {
    output_send(output, bytes, count);
    return;
  }
  memcpy(output->buffer + output->count, bytes, count);
  output->count += count;
}

void mdn_output_text(struct output *output, const char *text) { mdn_output_bytes(output, text, strlen(text)); }

void mdn_output_number(struct output *output, uint64_t number) {
  char digits[24], *end = digits + sizeof digits, *at = end;
  do {
    *--at = (char)('0' + number % 10);
    number /= 10;
  } while (number);
  mdn_output_bytes(output, at, (size_t)(end - at));
}

void mdn_output_line(struct output *output, const char *format, ...) {
  char line[500];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (!output->writer) {
    mdn_heap_report(output->heap, true, "%s", line);
    return;
  }
  mdn_output_text(output, line);
  mdn_output_bytes(output, "\n", 1);
}

midden_status mdn_output_refused(const char *what, int number, midden_error *error) {
  char reason[128] = "the writer said no more";
  const char *text = reason;
  if (number) {
    snprintf(reason, sizeof reason, "error %d", number);
#if defined(__GLIBC__) && defined(_GNU_SOURCE)
    text = strerror_r(number, reason, sizeof reason); /* the GNU one: it may use the buffer, or not */
#endif
  }
  return mdn_error(error, MIDDEN_IO_ERROR, "%s could not be written: %s", what, text);
}

midden_status mdn_output_close(struct output *output, const char *what, midden_error *error) {
  if (output->writer) output_send(output, output->buffer, output->count);
  return output->failed ? mdn_output_refused(what, output->error, error) : MIDDEN_OK;
}

static bool write_file(void *context, const char *bytes, size_t count) {
  return fwrite(bytes, 1, count, context) == count;
}

midden_writer mdn_output_file(FILE *file) { return (midden_writer){write_file, file}; }

const char *mdn_output_bytes_text(uint64_t bytes, char text[24]) {
  static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  unsigned unit = 0;
  double value = (double)bytes;
  while (value >= 1024 && unit < 4) {
    value /= 1024;
    unit++;
  }
  snprintf(text, 24, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
  return text;
}
