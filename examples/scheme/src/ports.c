/* Ports: buffered text streams over files and strings. */
#include "ports.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heap.h"
#include "unicode.h"

enum { BUFFER_SIZE = 8192 };

/* What is due is collected first: blocks count, but taking one does not collect. */
static struct port *new_port(struct vm *vm, size_t capacity) {
  if (midden_external_room(vm->mutator, sizeof(struct port) + capacity) != MIDDEN_OK)
    return NULL;
  struct port *port = midden_block_alloc(vm->mutator, sizeof *port);
  unsigned char *buffer = capacity ? midden_block_alloc(vm->mutator, capacity) : NULL;
  if (!port || (capacity && !buffer)) {
    midden_block_free(vm->mutator, port);
    return NULL;
  }
  *port = (struct port){.vm = vm, .file = -1, .line = 1, .buffer = buffer, .capacity = capacity};
  port->next = vm->ports;
  port->link = &vm->ports;
  if (port->next)
    port->next->link = &port->next;
  vm->ports = port;
  return port;
}

static void free_buffer(struct port *port) {
  midden_block_free(port->vm->mutator, port->buffer);
  port->buffer = NULL;
  port->start = port->end = port->capacity = 0;
}

/* For a port that no Scheme object refers to. Also from inside a collection. */
void port_discard(struct port *port) {
  *port->link = port->next;
  if (port->next)
    port->next->link = port->link;
  free_buffer(port);
  midden_block_free(port->vm->mutator, port);
}

struct port *port_new_file(struct vm *vm, int file, bool is_input) {
  struct port *port = new_port(vm, BUFFER_SIZE);
  if (!port)
    return NULL;
  port->file = file;
  port->is_input = is_input;
  port->is_terminal = isatty(file);
  return port;
}

struct port *port_new_string(struct vm *vm, const char *text, size_t size) {
  struct port *port = new_port(vm, text ? size : 64);
  if (!port || !text)
    return port;
  port->is_input = true;
  if (size)
    memcpy(port->buffer, text, size);
  port->end = size;
  port->at_end = true;
  return port;
}

/* The structure stays: a port object still points to it. */
void port_close(struct port *port) {
  if (port->is_closed || port->is_standard)
    return;
  if (!port->is_input)
    port_flush(port);
  if (port->file >= 0)
    close(port->file);
  port->is_closed = true;
  if (port->file < 0 && !port->is_input)
    return; /* what was collected can still be had */
  free_buffer(port);
}

void ports_close_all(struct vm *vm) {
  while (vm->ports) {
    port_flush(vm->ports);
    port_close(vm->ports);
    port_discard(vm->ports);
  }
}

void ports_flush_all(struct vm *vm) {
  for (struct port *port = vm->ports; port; port = port->next)
    if (!port->is_input)
      port_flush(port);
}

/* ---- Input ---- */
/* post: at least `wanted` bytes are in the buffer, or the end was reached. */
static void fill(struct port *port, size_t wanted) {
  while (port->end - port->start < wanted && !port->at_end && !port->is_closed) {
    if (port->start > 0) {
      memmove(port->buffer, port->buffer + port->start, port->end - port->start);
      port->end -= port->start;
      port->start = 0;
    }
    ssize_t count = read(port->file, port->buffer + port->end, port->capacity - port->end);
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0) {
      port->at_end = !port->is_terminal;
      return;
    }
    port->end += (size_t)count;
  }
}

/* post: the length of the next character in bytes; 0 at the end. */
static size_t look(struct port *port, uint32_t *character) {
  if (port->start == port->end)
    fill(port, 1);
  if (port->start == port->end)
    return 0;
  unsigned char first = port->buffer[port->start];
  if (first < 0x80) {
    *character = first;
    return 1;
  }
  fill(port, 4);
  return utf8_decode(port->buffer + port->start, port->end - port->start, character);
}

int32_t port_peek(struct port *port) {
  uint32_t character;
  return look(port, &character) ? (int32_t)character : PORT_EOF;
}

int32_t port_read(struct port *port) {
  uint32_t character;
  size_t length = look(port, &character);
  if (length == 0)
    return PORT_EOF;
  port->start += length;
  if (character == '\n')
    port->line++;
  return (int32_t)character;
}

bool port_ready(struct port *port) {
  if (port->start < port->end || port->at_end)
    return true;
  struct pollfd poll_file = {.fd = port->file, .events = POLLIN};
  return poll(&poll_file, 1, 0) > 0;
}

/* ---- Output ---- */
bool port_flush(struct port *port) {
  if (port->file < 0 || port->is_input)
    return true;
  size_t done = 0;
  while (done < port->end) {
    ssize_t count = write(port->file, port->buffer + done, port->end - done);
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      break;
    done += (size_t)count;
  }
  bool complete = done == port->end;
  port->end = 0;
  return complete;
}

static bool grow(struct port *port, size_t capacity) {
  unsigned char *buffer = midden_block_realloc(port->vm->mutator, port->buffer, capacity);
  if (!buffer)
    return false;
  port->buffer = buffer;
  port->capacity = capacity;
  return true;
}

bool port_make_room(struct port *port, size_t end) {
  port->end = end;
  if (midden_external_room(port->vm->mutator, port->lacking) != MIDDEN_OK || !grow(port, port->lacking))
    return false;
  port->lacking = 0;
  return true;
}

static void write_to_string(struct port *port, const char *text, size_t size) {
  if (port->lacking)
    return;
  if (port->capacity - port->end < size) {
    size_t capacity = port->capacity * 2 > port->end + size ? port->capacity * 2 : port->end + size;
    if (!grow(port, capacity)) {
      port->lacking = capacity;
      return;
    }
  }
  memcpy(port->buffer + port->end, text, size);
  port->end += size;
}

static void write_to_file(struct port *port, const char *text, size_t size) {
  bool has_line = port->is_terminal && size && memchr(text, '\n', size);
  while (port->capacity - port->end < size) {
    size_t part = port->capacity - port->end;
    memcpy(port->buffer + port->end, text, part);
    port->end += part;
    text += part;
    size -= part;
    port_flush(port);
  }
  memcpy(port->buffer + port->end, text, size);
  port->end += size;
  if (has_line)
    port_flush(port);
}

void port_write_bytes(struct port *port, const char *text, size_t size) {
  if (port->is_closed)
    return;
  if (port->file >= 0)
    write_to_file(port, text, size);
  else
    write_to_string(port, text, size);
}

void port_write_text(struct port *port, const char *text) { port_write_bytes(port, text, strlen(text)); }

void port_write(struct port *port, uint32_t character) {
  char text[4];
  port_write_bytes(port, text, utf8_encode(character, text));
}

void port_write_string(struct port *port, value string, int64_t start, int64_t end) {
  for (int64_t i = start; i < end; i++)
    port_write(port, string_get(string, i));
}

struct port *port_standard_error(struct vm *vm) {
  return port_of(vm->roots.error);
}

/* ---- Strings as C text ---- */
size_t string_copy_text(value string, char *text, size_t capacity) {
  size_t needed = 0, used = 0;
  for (int64_t i = 0; i < string_of(string)->length; i++) {
    char bytes[4];
    size_t size = utf8_encode(string_get(string, i), bytes);
    if (needed == used && used + size < capacity) {
      memcpy(text + used, bytes, size);
      used += size;
    }
    needed += size;
  }
  if (capacity)
    text[used] = 0;
  return needed;
}

char *string_text(value string, size_t *size) {
  *size = string_copy_text(string, NULL, 0);
  char *text = malloc(*size + 1);
  if (text)
    string_copy_text(string, text, *size + 1);
  return text;
}

/* ---- UTF-8 to strings (declared in heap.h) ---- */
value make_string_from_bytes(struct vm *vm, const char *text, size_t size) {
  const unsigned char *bytes = (const unsigned char *)text;
  int64_t length = 0;
  int width = 1;
  for (size_t i = 0; i < size; length++) {
    uint32_t character;
    i += utf8_decode(bytes + i, size - i, &character);
    if (character > 0xff)
      width = 4;
  }
  value string = make_string(vm, length, width);
  if (string == FAIL)
    return FAIL;
  void *data = object_of(string_of(string)->body);
  int64_t index = 0;
  for (size_t i = 0; i < size; index++) {
    uint32_t character;
    i += utf8_decode(bytes + i, size - i, &character);
    if (width == 1)
      ((uint8_t *)data)[index] = (uint8_t)character;
    else
      ((uint32_t *)data)[index] = character;
  }
  return string;
}

value make_string_from(struct vm *vm, const char *text) {
  return make_string_from_bytes(vm, text, strlen(text));
}
