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
#else
static inline bool processor_has_crc32c(void) { return false; }
static inline uint32_t processor_crc32c(uint32_t crc, const void *bytes, size_t size) { return crc; }
#endif
