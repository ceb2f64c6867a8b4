// Instructions that Swift has no name for.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
// Whether the processor has an instruction for CRC-32C.
static inline bool processor_has_crc32c(void) { return __builtin_cpu_supports("sse4.2"); }

// The CRC-32C of `size` more bytes; what goes in and comes out is inverted. Only where the processor has it.
__attribute__((target("sse4.2"))) static inline uint32_t processor_crc32c(uint32_t crc, const void *bytes, size_t size) {
  const uint8_t *at = (const uint8_t *)bytes;
  uint64_t wide = crc;
  for (; size >= 8; at += 8, size -= 8) {
    uint64_t word;
    memcpy(&word, at, sizeof word);
    wide = __builtin_ia32_crc32di(wide, word);
  }
  for (; size > 0; size--) wide = __builtin_ia32_crc32qi((uint32_t)wide, *at++);
  return (uint32_t)wide;
}

// The same of three pieces of `length` bytes each (a multiple of 8), one after the other: `*crc` goes on through the first, `second` and `third`
// are those of the others alone. The processor takes three times as long for one as it needs to begin the next.
__attribute__((target("sse4.2"))) static inline void processor_crc32c_three(uint32_t *crc, uint32_t *second, uint32_t *third, const void *bytes,
                                                                            size_t length) {
  const uint8_t *at = (const uint8_t *)bytes;
  uint64_t a = *crc, b = 0, c = 0;
  for (size_t i = 0; i < length; i += 8, at += 8) {
    uint64_t words[3];
    memcpy(&words[0], at, 8);
    memcpy(&words[1], at + length, 8);
    memcpy(&words[2], at + 2 * length, 8);
    a = __builtin_ia32_crc32di(a, words[0]);
    b = __builtin_ia32_crc32di(b, words[1]);
    c = __builtin_ia32_crc32di(c, words[2]);
  }
  *crc = (uint32_t)a;
  *second = (uint32_t)b;
  *third = (uint32_t)c;
}
#else
static inline bool processor_has_crc32c(void) { return false; }
static inline uint32_t processor_crc32c(uint32_t crc, const void *bytes, size_t size) { return crc; }
static inline void processor_crc32c_three(uint32_t *crc, uint32_t *second, uint32_t *third, const void *bytes, size_t length) {}
#endif
