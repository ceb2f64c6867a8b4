// Bits of a record, the lowest of a byte first. Room for them, and for a word beyond, was reserved. Async-signal-safe.
#ifndef SP_BIT_WRITER_H
#define SP_BIT_WRITER_H

#include <stdint.h>
#include <string.h>

#include "every_tick.h"

struct sp_bits {
  uint8_t *to;    // where the next byte goes
  uint64_t held;  // bits that are less than a byte
  unsigned count; // of them
};

// How many bits a number has up to its top one; 0 for 0.
static inline unsigned sp_bit_length(uint64_t value) { return value == 0 ? 0 : 64 - (unsigned)__builtin_clzll(value); }

// Puts the low `count` bits of `value`, which has no others; at most 32. What is held goes into memory as a word (little-endian, as both
// machines are), of which whole bytes stay.
static SP_EVERY_TICK __attribute__((noinline)) void sp_put_bits(struct sp_bits *bits, uint32_t value, unsigned count) {
  bits->held |= (uint64_t)value << bits->count;
  bits->count += count;
  memcpy(bits->to, &bits->held, sizeof bits->held);
  bits->to += bits->count / 8;
  bits->held >>= bits->count & ~7u;
  bits->count &= 7;
}

// Puts the format's number(width): the length in bits, which `width` bits must hold, and what is below the top one.
static SP_EVERY_TICK __attribute__((noinline)) void sp_put_number(struct sp_bits *bits, uint64_t value, unsigned width) {
  unsigned length = sp_bit_length(value);
  sp_put_bits(bits, length, width);
  if (length < 2) return;
  value ^= 1ull << (length - 1);
  unsigned low = length - 1 < 32 ? length - 1 : 32;
  sp_put_bits(bits, (uint32_t)value, low);
  sp_put_bits(bits, (uint32_t)(value >> low), length - 1 - low);
}

// Fills the last byte with zeros. Returns the end.
static inline uint8_t *sp_end_bits(struct sp_bits *bits) {
  if (bits->count > 0) *bits->to++ = (uint8_t)bits->held;
  return bits->to;
}

#endif
