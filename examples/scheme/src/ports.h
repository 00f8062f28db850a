/* Ports: buffered text streams over files and strings. They live outside the heap, with their buffers, in raw blocks of
 * it (midden/block.h): so they are on the heap's account, and a program that opens ports and loses them has them
 * collected in time. A Scheme port object just points to one; free_port in heap.c is called when it has died. The buffer
 * is no object of its own (midden/buffer.h) because of that: what it holds is still to be written then. */
#ifndef SCHEME_PORTS_H
#define SCHEME_PORTS_H

#include "vm.h"

struct port {
  struct port *next, **link; /* of all open ports; *link points here */
  struct vm *vm;
  int file; /* descriptor; -1: a string port */
  bool is_input;
  bool is_closed;
  bool is_terminal;
  bool is_standard; /* not closed by programs */
  bool at_end;
  unsigned char *buffer;       /* a block; NULL if capacity is 0 */
  size_t start, end, capacity; /* input: unread bytes; output: end bytes to be written */
  size_t lacking;              /* string output: not 0 when a buffer of this size was wanted and refused */
  int64_t line;
};

enum { PORT_EOF = -1 };

/* Both MAY COLLECT AND MOVE. NULL: no memory. */
struct port *port_new_file(struct vm *vm, int file, bool is_input);
/* Input from a copy of the text, or (text NULL) output that is collected. */
struct port *port_new_string(struct vm *vm, const char *text, size_t size);
void port_close(struct port *port);
void port_discard(struct port *port); /* one that no object refers to */
void ports_close_all(struct vm *vm);
void ports_flush_all(struct vm *vm);

static inline struct port *port_of(value v) { return ((struct port_object *)object_of(v))->port; }

/* A character, or PORT_EOF. */
int32_t port_read(struct port *port);
int32_t port_peek(struct port *port);
bool port_ready(struct port *port);

/* Writing never collects. A string port that finds no memory drops what is written and says so in `lacking`. Whoever may
 * collect writes like this, so that all of a datum is written or nothing:
 *
 *   size_t end = port->end;
 *   do
 *     port_write_text(port, text);
 *   while (port_again(port, end));
 *   if (port->lacking) ... out of memory */
void port_write(struct port *port, uint32_t character);
void port_write_text(struct port *port, const char *text);
void port_write_bytes(struct port *port, const char *text, size_t size);
void port_write_string(struct port *port, value string, int64_t start, int64_t end);
bool port_flush(struct port *port);

/* Takes back what a string port could not hold all of, and makes it larger. MAY COLLECT AND MOVE. post: whether it is
 * larger; if not, `lacking` stays, until port_forgive. */
bool port_make_room(struct port *port, size_t end);
static inline bool port_again(struct port *port, size_t end) {
  return MIDDEN_UNLIKELY(port->lacking != 0) && port_make_room(port, end);
}
/* post: whether everything was written; what comes next is tried again in either case. */
static inline bool port_forgive(struct port *port) {
  bool whole = port->lacking == 0;
  port->lacking = 0;
  return whole;
}

struct port *port_standard_error(struct vm *vm);

/* A string's characters as UTF-8, cut to fit. post: as snprintf. */
size_t string_copy_text(value string, char *text, size_t capacity);
/* The same in memory from malloc; NULL: no memory. */
char *string_text(value string, size_t *size);

#endif
