// Bits of a record, the lowest of a byte first. Room for them was reserved in the writer. Async-signal-safe.
#ifndef SP_BIT_WRITER_H
#define SP_BIT_WRITER_H

#include <stdint.h>

#include "record_writer.h"

struct sp_bits {
  struct sp_writer *writer;
  uint64_t held;  // bits that are less than a byte
  unsigned count; // of them
};

// How many bits a number has up to its top one; 0 for 0.
static inline unsigned sp_bit_length(uint64_t value) { return value == 0 ? 0 : 64 - (unsigned)__builtin_clzll(value); }

// Puts the low `count` bits of `value`, which has no others; at most 32.
static inline void sp_put_bits(struct sp_bits *bits, uint32_t value, unsigned count) {
  bits->held |= (uint64_t)value << bits->count;
  bits->count += count;
  for (; bits->count >= 8; bits->count -= 8) {
    sp_put_byte(bits->writer, (uint8_t)bits->held);
    bits->held >>= 8;
  }
}

// Puts the format's number(width): the length in bits, which `width` bits must hold, and what is below the top one.
static inline void sp_put_number(struct sp_bits *bits, uint64_t value, unsigned width) {
  unsigned length = sp_bit_length(value);
  sp_put_bits(bits, length, width);
  if (length < 2) return;
  value ^= 1ull << (length - 1);
  unsigned low = length - 1 < 32 ? length - 1 : 32;
  sp_put_bits(bits, (uint32_t)value, low);
  sp_put_bits(bits, (uint32_t)(value >> low), length - 1 - low);
}

// Fills the last byte with zeros.
static inline void sp_end_bits(struct sp_bits *bits) {
  if (bits->count > 0) sp_put_byte(bits->writer, (uint8_t)bits->held);
}

#endif
