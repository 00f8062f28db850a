/* Ports: buffered text streams over files and strings. They live outside the heap; a Scheme port
 * object just points to one. */
#ifndef SCHEME_PORTS_H
#define SCHEME_PORTS_H

#include "vm.h"

struct port {
  struct port *next; /* of all open ports */
  int file;          /* descriptor; -1: a string port */
  bool is_input;
  bool is_closed;
  bool is_terminal;
  bool is_standard; /* not closed by programs */
  bool at_end;
  unsigned char *buffer;
  size_t start, end, capacity; /* input: unread bytes; output: end bytes to be written */
  int64_t line;
};

enum { PORT_EOF = -1 };

struct port *port_new_file(struct vm *vm, int file, bool is_input);
/* Input from a copy of the text, or (text NULL) output that is collected. */
struct port *port_new_string(struct vm *vm, const char *text, size_t size);
void port_close(struct port *port);
void port_discard(struct vm *vm, struct port *port); /* one that no object refers to */
void ports_close_all(struct vm *vm);
void ports_flush_all(struct vm *vm);

static inline struct port *port_of(value v) { return ((struct port_object *)object_of(v))->port; }

/* A character, or PORT_EOF. */
int32_t port_read(struct port *port);
int32_t port_peek(struct port *port);
bool port_ready(struct port *port);

void port_write(struct port *port, uint32_t character);
void port_write_text(struct port *port, const char *text);
void port_write_bytes(struct port *port, const char *text, size_t size);
void port_write_string(struct port *port, value string, int64_t start, int64_t end);
bool port_flush(struct port *port);

struct port *port_standard_error(struct vm *vm);

/* A string's characters as UTF-8, cut to fit. post: as snprintf. */
size_t string_copy_text(value string, char *text, size_t capacity);
/* The same in memory from malloc; NULL: no memory. */
char *string_text(value string, size_t *size);

#endif
