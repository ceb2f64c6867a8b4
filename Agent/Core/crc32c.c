#include "crc32c.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "every_tick.h"

#if defined(__x86_64__)
#include <cpuid.h>
#define WITH_INSTRUCTION __attribute__((target("sse4.2")))
#define CRC_8(crc, value) ((uint32_t)__builtin_ia32_crc32di(crc, value))
#define CRC_1(crc, value) __builtin_ia32_crc32qi(crc, value)
#else
#include <arm_acle.h>
#include <sys/auxv.h>
#define WITH_INSTRUCTION __attribute__((target("+crc")))
#define CRC_8(crc, value) __crc32cd(crc, value)
#define CRC_1(crc, value) __crc32cb(crc, value)
#endif

static _Atomic int instruction; // 0 not asked yet, 1 the processor has one, -1 it has none

// Whether the processor has an instruction for this. Asked once: a virtual machine may take microseconds to answer.
static bool has_instruction(void) {
  int known = atomic_load_explicit(&instruction, memory_order_relaxed);
  if (known != 0) return known > 0;
#if defined(__x86_64__)
  unsigned a, b, c = 0, d;
  bool has = __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_SSE4_2) != 0;
#else
  bool has = (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
#endif
  atomic_store_explicit(&instruction, has ? 1 : -1, memory_order_relaxed);
  return has;
}

WITH_INSTRUCTION static SP_EVERY_TICK uint32_t by_instruction(uint32_t crc, const uint8_t *p, size_t size) {
  for (; size >= 8; p += 8, size -= 8) {
    uint64_t word;
    memcpy(&word, p, sizeof word);
    crc = CRC_8(crc, word);
  }
  for (; size > 0; size--) crc = CRC_1(crc, *p++);
  return crc;
}

// Half a byte at a time: the table is one line of the cache.
static uint32_t by_table(uint32_t crc, const uint8_t *p, size_t size) {
  static const uint32_t table[16] = {
      0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
      0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
  };
  for (size_t i = 0; i < size; i++) {
    crc = crc >> 4 ^ table[(crc ^ p[i]) & 15];
    crc = crc >> 4 ^ table[(crc ^ p[i] >> 4) & 15];
  }
  return crc;
}

SP_EVERY_TICK uint32_t sp_crc32c(uint32_t crc, const void *bytes, size_t size) {
  return ~(has_instruction() ? by_instruction(~crc, bytes, size) : by_table(~crc, bytes, size));
}
