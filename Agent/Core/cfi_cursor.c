#define _GNU_SOURCE
#include "cfi.h"

#include <string.h>

#include "every_tick.h"

enum { // DW_EH_PE: Linux Standard Base Core, section 10.5.1
  PE_OMIT = 0xff,
  PE_INDIRECT = 0x80,
  PE_PCREL = 0x10,
  PE_DATAREL = 0x30,
  PE_FUNCREL = 0x40,
  PE_ALIGNED = 0x50,
};

SP_EVERY_TICK struct sp_cursor sp_cursor_at(struct sp_reader *reader, const struct sp_module *module, uintptr_t position, uintptr_t end) {
  struct sp_cursor c = {.reader = reader, .tag = module->number, .position = position, .end = end};
  if (position >= module->tables_start && position < module->tables_end) c.plain = end < module->tables_end ? end : module->tables_end;
  return c;
}

uint8_t sp_cursor_far_u8(struct sp_cursor *c) {
  const uint8_t *page = c->position < c->end ? sp_reader_page(c->reader, c->tag, c->position) : NULL;
  if (page == NULL) {
    c->failed = true;
    c->position = c->end;
    return 0;
  }
  return page[c->position++ & (SP_READER_PAGE_SIZE - 1)];
}

uint64_t sp_cursor_far_int(struct sp_cursor *c, unsigned size) {
  uint64_t value = 0;
  if (c->failed || c->end - c->position < size || !sp_reader_copy(c->reader, c->tag, c->position, &value, size)) {
    c->failed = true;
    c->position = c->end;
    return 0;
  }
  c->position += size;
  return value;
}

SP_EVERY_TICK uint64_t sp_cursor_far_uleb(struct sp_cursor *c) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 70; shift += 7) {
    uint8_t byte = sp_cursor_u8(c);
    if (shift < 64) value |= (uint64_t)(byte & 0x7f) << shift;
    if (!(byte & 0x80)) return value;
  }
  c->failed = true;
  return 0;
}

int64_t sp_cursor_sleb(struct sp_cursor *c) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 70; shift += 7) {
    uint8_t byte = sp_cursor_u8(c);
    if (shift < 64) value |= (uint64_t)(byte & 0x7f) << shift;
    if (byte & 0x80) continue;
    if (shift + 7 < 64 && (byte & 0x40)) value |= ~(uint64_t)0 << (shift + 7);
    return (int64_t)value;
  }
  c->failed = true;
  return 0;
}

SP_EVERY_TICK uintptr_t sp_cursor_pointer(struct sp_cursor *c, uint8_t encoding, uintptr_t data_base, uintptr_t function_base) {
  if (encoding == PE_OMIT) return 0;
  if ((encoding & 0x70) == PE_ALIGNED) {
    uintptr_t aligned = (c->position + 7) & ~(uintptr_t)7;
    if (aligned > c->end) c->failed = true; // and the place stays before the end, as all that count the bytes left rely on
    else c->position = aligned;
  }
  uintptr_t at = c->position;
  uint64_t value = 0;
  switch (encoding & 0x0f) {
  case 0x00:
  case 0x04:
  case 0x0c: value = sp_cursor_int(c, 8); break;
  case 0x01: value = sp_cursor_uleb(c); break;
  case 0x09: value = (uint64_t)sp_cursor_sleb(c); break;
  case 0x02: value = sp_cursor_int(c, 2); break;
  case 0x03: value = sp_cursor_int(c, 4); break;
  case 0x0a: value = (uint64_t)(int64_t)(int16_t)sp_cursor_int(c, 2); break;
  case 0x0b: value = (uint64_t)(int64_t)(int32_t)sp_cursor_int(c, 4); break;
  default: c->failed = true;
  }
  switch (encoding & 0x70) {
  case 0:
  case PE_ALIGNED: break;
  case PE_PCREL: value += at; break;
  case PE_DATAREL: value += data_base; break;
  case PE_FUNCREL: value += function_base; break;
  default: c->failed = true;
  }
  if (c->failed) return 0;
  if ((encoding & PE_INDIRECT) && !sp_reader_copy(c->reader, 0, value, &value, sizeof value)) c->failed = true;
  return value;
}
