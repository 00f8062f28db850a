/* The timeline: collections and mutators over time, as the trace events that Perfetto and chrome://tracing read (Trace
 * Event Format, JSON array). Of its event types those that Perfetto imports: B, E, X, C and M.
 *
 * A heap is a process in it: track 0 are its collections with their steps, track n is its n-th mutator. Each event is a
 * line, and each batch is written out at once, so a file that ends early lacks no more than the closing bracket. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/tool_file.h"
#include "debug/installers.h"
#include "heap/heap.h"

#define REFILL_EVERY_NS 1000000 /* so that a heap that does nothing but allocate writes some 250 KB in a second */

struct timeline {
  struct observer observer;
  FILE *file; /* NULL: it has ended */
  unsigned process;
  bool any; /* an event was written */
  uint64_t last; /* the clock, at the last event of refills */
  uint64_t refills, large, bytes; /* since then */
};

/* Microseconds with three decimals. */
#define TIME_FORMAT "%" PRIu64 ".%03u"
#define TIME(ns) (ns) / 1000, (unsigned)((ns) % 1000)

/* ---- events ---- */

static void begin_event(struct timeline *timeline, const char *phase, unsigned track, uint64_t at) {
  fprintf(timeline->file, "%s{\"ph\":\"%s\",\"pid\":%u,\"tid\":%u,\"ts\":" TIME_FORMAT, timeline->any ? ",\n" : "", phase,
          timeline->process, track, TIME(at));
  timeline->any = true;
}

static void add_name(struct timeline *timeline, const char *name) {
  fputs(",\"name\":\"", timeline->file);
  for (const char *at = name; *at; at++) {
    unsigned char letter = (unsigned char)*at;
    if (letter == '"' || letter == '\\') {
      fprintf(timeline->file, "\\%c", letter);
    } else if (letter < ' ' || letter > '~') { /* a kind's name may be in any encoding */
      fprintf(timeline->file, "\\u%04x", letter);
    } else {
      fputc(letter, timeline->file);
    }
  }
  fputc('"', timeline->file);
}

static void write_span(struct timeline *timeline, unsigned track, const char *name, uint64_t from, uint64_t to) {
  begin_event(timeline, "X", track, from);
  fprintf(timeline->file, ",\"dur\":" TIME_FORMAT, TIME(to - from));
  add_name(timeline, name);
}

static void write_name(struct timeline *timeline, const char *what, unsigned track, const char *name, unsigned number) {
  begin_event(timeline, "M", track, 0);
  fprintf(timeline->file, ",\"name\":\"%s\",\"args\":{\"name\":\"%s %u\"}}", what, name, number);
}

static void write_heap(struct timeline *timeline, const midden_heap *heap, uint64_t at, size_t used) {
  begin_event(timeline, "C", 0, at);
  fprintf(timeline->file, ",\"name\":\"heap\",\"args\":{\"used\":%zu,\"live\":%zu,\"committed\":%zu}}", used,
          heap->core.figures.live_bytes, mdn_heap_committed(heap));
}

/* Writes a batch out. What cannot be written is the end of the timeline, and of nothing else. */
static void finish_batch(struct timeline *timeline, midden_heap *heap, bool close) {
  midden_error error;
  if (mdn_file_flush(timeline->file, close, "option timeline", &error) == MIDDEN_OK) {
    if (close) timeline->file = NULL;
    return;
  }
  if (!close) fclose(timeline->file);
  timeline->file = NULL;
  mdn_heap_report(heap, true, "midden: %s: it ends here", error.message);
}

/* ---- collections ---- */

static void write_steps(struct timeline *timeline, const struct step_log *log, uint64_t ended) {
  for (unsigned i = 0; i < log->count; i++) {
    uint64_t end = i + 1 < log->count ? log->starts[i + 1].at : ended;
    write_span(timeline, 0, step_name(log->starts[i].step), log->starts[i].at, end);
    fputc('}', timeline->file);
  }
}

static midden_status write_collection(struct observer *observer, midden_heap *heap, const struct collected *collected) {
  struct timeline *timeline = (struct timeline *)observer;
  if (!timeline->file) return MIDDEN_OK;
  char name[48];
  uint64_t began = collected->began, ended = collected->ended;
  snprintf(name, sizeof name, "%s collection", collected->minor ? "minor" : "full");
  write_heap(timeline, heap, began, collected->used_before);
  write_span(timeline, 0, name, began, ended);
  fprintf(timeline->file,
          ",\"args\":{\"number\":%" PRIu64 ",\"collector\":\"%s\",\"cause\":\"%s\",\"used_before\":%zu,\"live\":%zu,"
          "\"objects\":%zu,\"pinned\":%" PRIu64 ",\"moved\":%" PRIu64 "}}",
          collected->number, collected->collector, mdn_cause_name(collected->cause), collected->used_before,
          heap->core.figures.live_bytes, heap->core.figures.live_objects, collected->pinned, collected->moved);
  write_steps(timeline, &heap->core.steps, ended);
  for (const struct mutator *mutator = heap->core.mutators; mutator; mutator = mutator->next) {
    begin_event(timeline, "E", mutator->number, began);
    fputc('}', timeline->file);
    write_span(timeline, mutator->number, "waiting", began, ended);
    fputc('}', timeline->file);
    begin_event(timeline, "B", mutator->number, ended);
    fputs(",\"name\":\"running\"}", timeline->file);
  }
  write_heap(timeline, heap, ended, heap->core.figures.live_bytes);
  timeline->last = ended;
  finish_batch(timeline, heap, false);
  return MIDDEN_OK;
}

/* ---- mutators ---- */

static void write_refill(struct observer *observer, midden_heap *heap, struct mutator *mutator,
                         const struct central *central, void *cell, size_t cells) {
  struct timeline *timeline = (struct timeline *)observer;
  if (!timeline->file) return;
  bool large = central->size_class == SIZE_CLASS_LARGE;
  timeline->refills++;
  timeline->large += large;
  timeline->bytes += cells ? cells * central->cell_size : midden_size_of(heap, cell);
  uint64_t now = mdn_os_clock();
  if (now - timeline->last < REFILL_EVERY_NS) return;
  char name[80];
  snprintf(name, sizeof name, "%s %s", large ? "large" : "refill", heap->core.kinds.kinds[central->kind].name);
  write_span(timeline, mutator->number, name, now, now);
  fprintf(timeline->file, ",\"args\":{\"refills\":%" PRIu64 ",\"large\":%" PRIu64 ",\"bytes\":%" PRIu64 "}}",
          timeline->refills, timeline->large, timeline->bytes);
  write_heap(timeline, heap, now, heap->core.space.totals.used_bytes);
  timeline->refills = timeline->large = timeline->bytes = 0;
  timeline->last = now;
  finish_batch(timeline, heap, false);
}

static void write_attached(struct observer *observer, midden_heap *heap, const struct mutator *mutator) {
  struct timeline *timeline = (struct timeline *)observer;
  if (!timeline->file) return;
  write_name(timeline, "thread_name", mutator->number, "mutator", mutator->number);
  begin_event(timeline, "B", mutator->number, mdn_os_clock());
  fputs(",\"name\":\"running\"}", timeline->file);
  finish_batch(timeline, heap, false);
}

static void write_detaching(struct observer *observer, midden_heap *heap, const struct mutator *mutator) {
  struct timeline *timeline = (struct timeline *)observer;
  if (!timeline->file) return;
  begin_event(timeline, "E", mutator->number, mdn_os_clock());
  fputc('}', timeline->file);
  finish_batch(timeline, heap, false);
}

static void close_timeline(struct observer *observer, midden_heap *heap) {
  struct timeline *timeline = (struct timeline *)observer;
  if (!timeline->file) return;
  fputs("\n]\n", timeline->file);
  finish_batch(timeline, heap, true);
}

/* ---- opening ---- */

/* A number for the heap among all heaps of all processes, as far as such a thing is to be had without a global: viewers
 * group tracks by it. */
static unsigned process_number(const midden_heap *heap) {
  uint64_t mixed = (((uint64_t)(uintptr_t)heap >> 12) ^ ((uint64_t)getpid() << 40)) * UINT64_C(0x9e3779b97f4a7c15);
  return (unsigned)(mixed >> 33) | 1;
}

static void begin_file(struct timeline *timeline, const midden_heap *heap) {
  fputs("[\n", timeline->file);
  begin_event(timeline, "M", 0, 0);
  fprintf(timeline->file, ",\"name\":\"process_name\",\"args\":{\"name\":\"midden heap %#zx of process %u\"}}",
          (size_t)heap->core.space.base, (unsigned)getpid());
  begin_event(timeline, "M", 0, 0);
  fputs(",\"name\":\"thread_name\",\"args\":{\"name\":\"collections\"}}", timeline->file);
  write_heap(timeline, heap, mdn_os_clock(), 0);
}

midden_status mdn_timeline_install(midden_heap *heap, midden_error *error) {
  const char *name = heap->config.timeline;
  if (!name[0] || strcmp(name, "off") == 0) return MIDDEN_OK;
  struct timeline *timeline = mdn_observer_new(heap, sizeof *timeline, error);
  if (!timeline) return MIDDEN_NO_MEMORY;
  midden_status status = mdn_file_create(name, "option timeline", &timeline->file, error);
  if (status != MIDDEN_OK) return status;
  timeline->process = process_number(heap);
  timeline->observer = (struct observer){.after = write_collection,
                                         .refilled = write_refill,
                                         .attached = write_attached,
                                         .detaching = write_detaching,
                                         .close = close_timeline};
  mdn_observer_add(heap, &timeline->observer);
  mdn_observers_watch(heap);
  begin_file(timeline, heap);
  finish_batch(timeline, heap, false);
  return MIDDEN_OK;
}
