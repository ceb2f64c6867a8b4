// CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), as in RFC 3720 appendix B.4. By the processor's instruction where there is one;
// whether there is, is asked once and kept.
#ifndef SP_CRC32C_H
#define SP_CRC32C_H

#include <stddef.h>
#include <stdint.h>

// The CRC of `size` more bytes after data whose CRC is `crc` (0 for none). Async-signal-safe.
uint32_t sp_crc32c(uint32_t crc, const void *bytes, size_t size);

#endif
