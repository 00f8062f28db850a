/* Messages in the encoding of protocol buffers, as far as a profile needs it: varints, and fields that have a length. */
#ifndef MIDDEN_DEBUG_PROTOBUF_H
#define MIDDEN_DEBUG_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_MOST 1536

/* A message that is put together before its length is known. What does not fit is a mistake in its user's reckoning. */
struct message {
  size_t count;
  char bytes[MESSAGE_MOST];
};

void mdn_message_varint(struct message *message, uint64_t value);
/* A field with a number; 0 is the default, and not written. */
void mdn_message_number(struct message *message, unsigned field, uint64_t value);
/* A field with bytes. */
void mdn_message_bytes(struct message *message, unsigned field, const char *bytes, size_t count);

#endif
