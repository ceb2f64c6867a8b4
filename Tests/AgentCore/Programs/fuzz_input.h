// The input of fuzz_cfi.c: this header, then the image of a module: .eh_frame_hdr, .eh_frame and whatever else.
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stdint.h>

#define FUZZ_IMAGE_MAX 8192
#define FUZZ_STACK_WORDS 32
#define FUZZ_REGISTERS 17

// A word that points somewhere: the low byte of `where` modulo 6 says into what.
enum fuzz_where { FUZZ_STACK, FUZZ_STACK_END, FUZZ_IMAGE, FUZZ_SMALL, FUZZ_NEGATIVE, FUZZ_REAL_CODE, FUZZ_WHERES };

struct fuzz_word {
  uint8_t where;
  uint8_t offset[2];
};

enum fuzz_flag {
  FUZZ_TRUSTED = 1, // the tables are read in place
  FUZZ_DIRECT = 2,  // so is the stack
  FUZZ_RETURN = 4,  // the first address is a return address
  FUZZ_PROBE = 8,   // the kernel refuses to copy
  FUZZ_ENGINE = 16, // twice this bit: enum sp_unwind_engine of the walk through real code, modulo 3
};

struct fuzz_input {
  uint8_t flags;
  uint8_t address[2];    // in the image, of the first lookup
  uint8_t header[2];     // in the image, of .eh_frame_hdr
  uint8_t header_size[2];
  uint8_t expression[2]; // in the image, of a block to be evaluated
  struct fuzz_word registers[FUZZ_REGISTERS];
  struct fuzz_word stack[FUZZ_STACK_WORDS]; // again and again, up to its end
};

static inline unsigned fuzz_u16(const uint8_t *bytes) { return (unsigned)(bytes[0] | bytes[1] << 8); }

#endif
