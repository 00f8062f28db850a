/* Protocol buffers: see protobuf.h. */
#include "debug/protobuf.h"

#include <string.h>

#include "base/assertion.h"

enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };

void mdn_message_varint(struct message *message, uint64_t value) {
  CHECK(message->count + 10 <= MESSAGE_MOST);
  for (; value >= 0x80; value >>= 7) message->bytes[message->count++] = (char)(value | 0x80);
  message->bytes[message->count++] = (char)value;
}

void mdn_message_number(struct message *message, unsigned field, uint64_t value) {
  if (value == 0) return;
  mdn_message_varint(message, field << 3 | WIRE_VARINT);
  mdn_message_varint(message, value);
}

void mdn_message_bytes(struct message *message, unsigned field, const char *bytes, size_t count) {
  mdn_message_varint(message, field << 3 | WIRE_BYTES);
  mdn_message_varint(message, count);
  CHECK(message->count + count <= MESSAGE_MOST);
  memcpy(message->bytes + message->count, bytes, count);
  message->count += count;
}
