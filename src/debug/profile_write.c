/* The profile in pprof's format: a message of profile.proto (github.com/google/pprof), written field by field. A text is
 * written just before its first use; its number is its place among the texts. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "debug/profile.h"
#include "debug/protobuf.h"

/* Fields of Profile, and of the messages in it, by their names in profile.proto. */
enum { PROFILE_SAMPLE_TYPE = 1, PROFILE_SAMPLE = 2, PROFILE_LOCATION = 4, PROFILE_FUNCTION = 5, PROFILE_STRING = 6,
       PROFILE_TIME_NANOS = 9, PROFILE_DURATION_NANOS = 10, PROFILE_PERIOD_TYPE = 11, PROFILE_PERIOD = 12,
       PROFILE_COMMENT = 13, PROFILE_DEFAULT_TYPE = 14 };
enum { TYPE_TYPE = 1, TYPE_UNIT = 2 };
enum { SAMPLE_LOCATIONS = 1, SAMPLE_VALUES = 2, SAMPLE_LABEL = 3 };
enum { LABEL_KEY = 1, LABEL_TEXT = 2 };
enum { LOCATION_ID = 1, LOCATION_ADDRESS = 3, LOCATION_LINE = 4 };
enum { LINE_FUNCTION = 1, LINE_LINE = 2 };
enum { FUNCTION_ID = 1, FUNCTION_NAME = 2, FUNCTION_SYSTEM_NAME = 3, FUNCTION_FILE = 4 };

#define LIBRARY_FRAMES 12 /* at most so many innermost frames are this library's */

struct pprof {
  struct profile *profile;
  const midden_writer *writer;
  midden_status status;
  int error; /* errno, when writing failed */
  uint64_t texts;
  uint64_t kind_label, kinds[MIDDEN_KIND_MAX + 1]; /* numbers of texts; 0: not written yet */
};

static void write_pprof(struct pprof *pprof, const char *bytes, size_t count) {
  if (pprof->status != MIDDEN_OK) return;
  errno = 0;
  if (pprof->writer->write(pprof->writer->context, bytes, count)) return;
  pprof->status = MIDDEN_IO_ERROR;
  pprof->error = errno;
}

/* A field of Profile that is a message. */
static void write_message(struct pprof *pprof, unsigned field, const struct message *message) {
  struct message head = {.count = 0};
  mdn_message_bytes(&head, field, "", 0);
  head.count--; /* the length is another */
  mdn_message_varint(&head, message->count);
  write_pprof(pprof, head.bytes, head.count);
  write_pprof(pprof, message->bytes, message->count);
}

static uint64_t write_text(struct pprof *pprof, const char *text) {
  struct message message = {.count = 0};
  size_t length = strnlen(text, MESSAGE_MOST / 2);
  mdn_message_bytes(&message, PROFILE_STRING, text, length);
  write_pprof(pprof, message.bytes, message.count);
  return pprof->texts++;
}

static void write_number(struct pprof *pprof, unsigned field, uint64_t value) {
  struct message message = {.count = 0};
  mdn_message_number(&message, field, value);
  write_pprof(pprof, message.bytes, message.count);
}

/* ---- what the profile is ---- */

static void write_type(struct pprof *pprof, unsigned field, uint64_t type, uint64_t unit) {
  struct message message = {.count = 0};
  mdn_message_number(&message, TYPE_TYPE, type);
  mdn_message_number(&message, TYPE_UNIT, unit);
  write_message(pprof, field, &message);
}

static void write_profile_head(struct pprof *pprof) {
  const struct profile *profile = pprof->profile;
  write_text(pprof, "");
  uint64_t count = write_text(pprof, "count"), bytes = write_text(pprof, "bytes");
  write_type(pprof, PROFILE_SAMPLE_TYPE, write_text(pprof, "alloc_objects"), count);
  write_type(pprof, PROFILE_SAMPLE_TYPE, write_text(pprof, "alloc_space"), bytes);
  write_type(pprof, PROFILE_SAMPLE_TYPE, write_text(pprof, "inuse_objects"), count);
  uint64_t in_use = write_text(pprof, "inuse_space");
  write_type(pprof, PROFILE_SAMPLE_TYPE, in_use, bytes);
  write_number(pprof, PROFILE_DEFAULT_TYPE, in_use);
  write_type(pprof, PROFILE_PERIOD_TYPE, write_text(pprof, "space"), bytes);
  write_number(pprof, PROFILE_PERIOD, profile->interval);
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) == 0) {
    write_number(pprof, PROFILE_TIME_NANOS, (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
  }
  write_number(pprof, PROFILE_DURATION_NANOS, mdn_os_clock() - profile->heap->opened_at);
  if (profile->lost > 0) {
    char text[96];
    snprintf(text, sizeof text, "%llu samples are missing: memory was refused", (unsigned long long)profile->lost);
    write_number(pprof, PROFILE_COMMENT, write_text(pprof, text));
  }
  pprof->kind_label = write_text(pprof, "kind");
}

/* ---- frames and sites ---- */

static void write_frame(struct pprof *pprof, struct frame *frame) {
  const char *file;
  int64_t number;
  const char *name = mdn_profile_frame_name(pprof->profile, frame, &file, &number);
  if (!name) {
    if (pprof->status == MIDDEN_OK) pprof->status = MIDDEN_NO_MEMORY;
    return;
  }
  const struct frame_key *key = intern_key(&pprof->profile->frames, frame);
  uint64_t text = write_text(pprof, name), file_text = *file ? write_text(pprof, file) : 0;
  struct message function = {.count = 0}, line = {.count = 0}, location = {.count = 0};
  mdn_message_number(&function, FUNCTION_ID, frame->id);
  mdn_message_number(&function, FUNCTION_NAME, text);
  mdn_message_number(&function, FUNCTION_SYSTEM_NAME, text);
  mdn_message_number(&function, FUNCTION_FILE, file_text);
  write_message(pprof, PROFILE_FUNCTION, &function);
  mdn_message_number(&line, LINE_FUNCTION, frame->id);
  mdn_message_number(&line, LINE_LINE, (uint64_t)number);
  mdn_message_number(&location, LOCATION_ID, frame->id);
  if (key->sort == FRAME_NATIVE) mdn_message_number(&location, LOCATION_ADDRESS, key->value);
  mdn_message_bytes(&location, LOCATION_LINE, line.bytes, line.count);
  write_message(pprof, PROFILE_LOCATION, &location);
}

/* The innermost frame that is the host's. What is between it and the sample are functions of this library, of which
 * those that others may call have its prefix. */
static size_t first_frame(const struct site_key *key) {
  size_t first = 0;
  for (size_t i = 0; i < key->depth && i < LIBRARY_FRAMES; i++) {
    if (key->frames[i]->library) first = i + 1;
  }
  return first < key->depth ? first : 0;
}

static uint64_t kind_text(struct pprof *pprof, uint64_t kind) {
  if (pprof->kinds[kind] == 0) pprof->kinds[kind] = write_text(pprof, pprof->profile->heap->core.kinds.kinds[kind].name);
  return pprof->kinds[kind];
}

static uint64_t rounded(double estimate) { return estimate > 0 ? (uint64_t)(estimate + 0.5) : 0; }

static void write_site(struct pprof *pprof, const struct site *site) {
  const struct site_key *key = site_key(pprof->profile, site);
  struct message sample = {.count = 0}, packed = {.count = 0}, label = {.count = 0};
  mdn_message_number(&label, LABEL_KEY, pprof->kind_label);
  mdn_message_number(&label, LABEL_TEXT, kind_text(pprof, key->kind));
  for (size_t i = first_frame(key); i < key->depth; i++) mdn_message_varint(&packed, key->frames[i]->id);
  mdn_message_bytes(&sample, SAMPLE_LOCATIONS, packed.bytes, packed.count);
  const double values[] = {site->objects, site->bytes, site->live_objects, site->live_bytes};
  packed.count = 0;
  for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) mdn_message_varint(&packed, rounded(values[i]));
  mdn_message_bytes(&sample, SAMPLE_VALUES, packed.bytes, packed.count);
  mdn_message_bytes(&sample, SAMPLE_LABEL, label.bytes, label.count);
  write_message(pprof, PROFILE_SAMPLE, &sample);
}

midden_status mdn_profile_write_pprof(struct profile *profile, const midden_writer *writer, midden_error *error) {
  struct pprof pprof = {.profile = profile, .writer = writer};
  write_profile_head(&pprof);
  for (size_t i = 0; i < profile->frames.capacity; i++) {
    struct frame *frame = (struct frame *)profile->frames.items[i];
    if (frame) write_frame(&pprof, frame);
  }
  for (size_t i = 0; i < profile->sites.capacity; i++) {
    const struct site *site = (const struct site *)profile->sites.items[i];
    if (site) write_site(&pprof, site);
  }
  if (pprof.status == MIDDEN_NO_MEMORY) {
    return mdn_error(error, MIDDEN_NO_MEMORY, "the system refused memory for the names in the profile");
  } else if (pprof.status != MIDDEN_OK) {
    return mdn_error(error, pprof.status, "the profile: writing failed: %s",
                     pprof.error ? strerror(pprof.error) : "the writer said no more");
  }
  return MIDDEN_OK;
}
