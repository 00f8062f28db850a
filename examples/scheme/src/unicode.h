/* UTF-8, and the simple character properties that the procedures on characters need. */
#ifndef SCHEME_UNICODE_H
#define SCHEME_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes one character. post: its length in bytes; what is not UTF-8 is taken byte by byte. */
static inline size_t utf8_decode(const unsigned char *text, size_t size, uint32_t *character) {
  unsigned char first = text[0];
  size_t length = first < 0x80                    ? 1
                  : first >= 0xf0 && first < 0xf5 ? 4
                  : first >= 0xe0                 ? 3
                  : first >= 0xc2                 ? 2
                                                  : 1;
  *character = first;
  if (length == 1 || length > size || first >= 0xf5)
    return 1;
  uint32_t code_point = first & (0x7fu >> length);
  for (size_t i = 1; i < length; i++) {
    if ((text[i] & 0xc0) != 0x80)
      return 1;
    code_point = code_point << 6 | (text[i] & 0x3f);
  }
  *character = code_point;
  return length;
}

/* post: the number of bytes written, 1 to 4. */
static inline size_t utf8_encode(uint32_t c, char *out) {
  if (c < 0x80) {
    out[0] = (char)c;
    return 1;
  }
  if (c < 0x800) {
    out[0] = (char)(0xc0 | c >> 6);
    out[1] = (char)(0x80 | (c & 0x3f));
    return 2;
  }
  if (c < 0x10000) {
    out[0] = (char)(0xe0 | c >> 12);
    out[1] = (char)(0x80 | (c >> 6 & 0x3f));
    out[2] = (char)(0x80 | (c & 0x3f));
    return 3;
  }
  out[0] = (char)(0xf0 | c >> 18);
  out[1] = (char)(0x80 | (c >> 12 & 0x3f));
  out[2] = (char)(0x80 | (c >> 6 & 0x3f));
  out[3] = (char)(0x80 | (c & 0x3f));
  return 4;
}

/* Case and classes: ASCII and Latin-1; other characters have no case here. */
static inline uint32_t character_upcase(uint32_t c) {
  if ((c >= 'a' && c <= 'z') || (c >= 0xe0 && c <= 0xfe && c != 0xf7))
    return c - 32;
  return c;
}
static inline uint32_t character_downcase(uint32_t c) {
  if ((c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7))
    return c + 32;
  return c;
}
static inline bool character_is_upper(uint32_t c) { return character_downcase(c) != c; }
static inline bool character_is_lower(uint32_t c) {
  return character_upcase(c) != c || c == 0xdf || c == 0xff;
}
static inline bool character_is_alphabetic(uint32_t c) {
  return character_is_upper(c) || character_is_lower(c) || c == 0xaa || c == 0xba || c >= 0x100;
}
static inline bool character_is_numeric(uint32_t c) { return c >= '0' && c <= '9'; }
static inline bool character_is_space(uint32_t c) {
  return c == ' ' || (c >= '\t' && c <= '\r') || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
         c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

#endif
