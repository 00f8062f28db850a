/* What the stops of the tour share: a host with two kinds, and how a stop tells what it does. */
#ifndef TOUR_H
#define TOUR_H

#include <midden/midden.h>
#include <stddef.h>

/* The guest's objects: what a name stands for, and bytes. */
struct entry {
  void *key, *value;
};

struct host {
  midden_heap *heap;
  midden_mutator *mutator;
  midden_kind entry, vector, string;
  midden_word *cache; /* a root; a vector */
  struct entry *last; /* a root */
};

struct stop {
  const char *name, *title;
  const char *planted[2]; /* what is wrong, in two lines */
  const char *tool;       /* the option or the call that finds it */
  const char *options;    /* of the heap */
  void (*run)(const struct stop *stop);
  int signal; /* how it ends; 0: it does not */
};

extern const struct stop reference_stops[], memory_stops[], time_stops[];

/* The directory for files that a stop writes. */
extern const char *tour_directory;

/* Opens the stop's heap with its kinds, names and roots. A stop that cannot work in this build says so and ends the process
 * with the status TOUR_LEFT_OUT; whatever else fails ends it with 1. */
void host_open(struct host *host, const struct stop *stop);
void host_close(struct host *host);
void host_collect(struct host *host);
/* An object, or the end of the process. */
void *host_entry(struct host *host);
void *host_vector(struct host *host, size_t words);
void *host_string(struct host *host, size_t bytes);

enum { TOUR_LEFT_OUT = 77 };

/* Ends the process with a sentence unless the status is MIDDEN_OK. */
void must(midden_status status, const midden_error *error);

/* Writes to standard output. */
extern const midden_writer tour_output;

/* Has the compiler keep a variable where it is, as a real interpreter's use of it would. */
#define TOUR_KEEP(variable) __asm__ volatile("" : "+r"(variable) : : "memory")

#endif
