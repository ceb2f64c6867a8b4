#define _GNU_SOURCE
#include <string.h>

#include "cfi.h"
#include "every_tick.h"

#define SORTED_TABLE 0x3b          // DW_EH_PE_datarel | sdata4, the only encoding that linkers write
#define LINEAR_ENTRIES_MAX (1u << 16)
#define ENCODING_OMIT 0xff
#define BLOCKS_NEAR 128 // blocks of code
#define GALLOP_FIRST 4

// The length field of an entry, and where the entry ends.
static SP_EVERY_TICK bool entry_bounds(struct sp_cursor *c, uintptr_t limit) {
  uint64_t length = sp_cursor_int(c, 4);
  if (length == 0xffffffff) length = sp_cursor_int(c, 8);
  if (c->failed || length > limit - c->position) return false;
  c->end = c->position + length;
  if (c->plain > c->end) c->plain = c->end;
  return true;
}

// Reads the CIE at `at`, unless it is the one that was read last.
static bool read_cie(struct sp_reader *reader, const struct sp_module *module, uintptr_t at, struct sp_cie *cie) {
  if (cie->module == module->number && cie->at == at) return true;
  *cie = (struct sp_cie){.module = 0, .at = at};
  struct sp_cursor c = sp_cursor_at(reader, module, at, module->image_end);
  if (at < module->image_start || at >= module->image_end || !entry_bounds(&c, module->image_end)) return false;
  if (sp_cursor_int(&c, 4) != 0) return false; // an FDE
  uint8_t version = sp_cursor_u8(&c);
  if (version != 1 && version != 3 && version != 4) return false;
  char augmentation[8];
  unsigned n = 0;
  while ((augmentation[n] = (char)sp_cursor_u8(&c)) != '\0')
    if (++n == sizeof augmentation) return false;
  if (version == 4) {
    uint8_t address_size = sp_cursor_u8(&c), segment_size = sp_cursor_u8(&c);
    if (address_size != 8 || segment_size != 0) return false;
  }
  cie->code_align = sp_cursor_uleb(&c);
  cie->data_align = sp_cursor_sleb(&c);
  uint64_t return_register = version == 1 ? sp_cursor_u8(&c) : sp_cursor_uleb(&c);
  if (return_register != SP_RA_COLUMN) return false;
  cie->augmented = augmentation[0] == 'z';
  if (cie->augmented) {
    uint64_t size = sp_cursor_uleb(&c);
    if (size > c.end - c.position) return false;
    uintptr_t after = c.position + size;
    bool known = true;
    for (const char *p = augmentation + 1; *p != '\0' && known; p++) {
      switch (*p) {
      case 'R': cie->encoding = sp_cursor_u8(&c); break;
      case 'P': {
        uint8_t encoding = sp_cursor_u8(&c);
        sp_cursor_pointer(&c, encoding & 0x7f, 0, 0); // the personality routine, not followed
        break;
      }
      case 'L': sp_cursor_u8(&c); break;
      case 'S': cie->signal_frame = true; break;
      case 'B': break;
      default: known = false; // its data is skipped with the rest
      }
    }
    if (c.position > after) return false;
    c.position = after;
  } else if (augmentation[0] != '\0') {
    return false;
  }
  if (c.failed || !sp_cfi_begin(reader, module, cie, c.position, c.end)) return false;
  cie->module = module->number;
  return true;
}

// Reads the entry at `at`. `next` receives the address of the one after it, 0 at the end of the section. Gives
// SP_CFI_NONE for a CIE and where `address` is not in the function.
static SP_EVERY_TICK enum sp_cfi_result read_fde(struct sp_reader *reader, const struct sp_module *module, uintptr_t at,
                                   uintptr_t address, struct sp_cie *cie, struct sp_fde *fde, uintptr_t *next) {
  struct sp_cursor c = sp_cursor_at(reader, module, at, module->image_end);
  *next = 0;
  if (at < c.plain) __builtin_prefetch((const void *)(at + 64)); // most take two lines of the processor's cache
  if (at < module->image_start || at >= module->image_end) return SP_CFI_DAMAGED;
  if (!entry_bounds(&c, module->image_end)) return c.failed ? SP_CFI_UNREADABLE : SP_CFI_DAMAGED;
  if (c.position == c.end) return SP_CFI_NONE; // the end of the section
  *next = c.end;
  uintptr_t here = c.position;
  uint64_t distance = sp_cursor_int(&c, 4);
  if (distance == 0) return SP_CFI_NONE;
  if (!read_cie(reader, module, here - distance, cie)) return SP_CFI_DAMAGED;
  fde->cie = cie;
  fde->start = sp_cursor_pointer(&c, cie->encoding, module->eh_frame_hdr, 0);
  fde->end = fde->start + sp_cursor_pointer(&c, cie->encoding & 0x0f, 0, 0);
  if (cie->augmented) {
    uint64_t size = sp_cursor_uleb(&c);
    if (size > c.end - c.position) return SP_CFI_DAMAGED;
    c.position += size;
  }
  if (c.failed) return SP_CFI_UNREADABLE;
  fde->program = c.position;
  fde->program_end = c.end;
  return address >= fde->start && address < fde->end ? SP_CFI_FOUND : SP_CFI_NONE;
}

// Where the code of an entry of a sorted table begins, from .eh_frame_hdr; the table is read in place.
static int64_t entry_start(uintptr_t table, uint64_t entry) {
  int32_t start;
  memcpy(&start, (const void *)(table + entry * 8), sizeof start);
  return start;
}

// How many entries begin at or before the address that was looked for last in a block of code, 1 more; 0: none was.
static uint64_t found_in(const struct sp_module *module, uint64_t block) {
  return atomic_load_explicit(&module->blocks[block], memory_order_relaxed);
}

// About how many entries begin at or before an address in a block of code: between what was found last in the blocks before and after that are
// near it, or from one of them on by the entries that a block has on average.
static uint64_t guess_count(const struct sp_module *module, uint64_t count, uint64_t block) {
  uint64_t blocks = ((module->code_end - module->code_start) >> SP_CODE_BLOCK_SHIFT) + 1;
  uint64_t first = block < BLOCKS_NEAR ? 0 : block - BLOCKS_NEAR, end = blocks - block < BLOCKS_NEAR ? blocks : block + BLOCKS_NEAR;
  uint64_t before = block, after = block + 1;
  while (before > first && found_in(module, before) == 0) before--;
  while (after < end && found_in(module, after) == 0) after++;
  int64_t low = (int64_t)found_in(module, before) - 1, high = after < end ? (int64_t)found_in(module, after) - 1 : -1;
  int64_t guess = (int64_t)(block * count / blocks);
  if (low >= 0 && high >= 0) guess = low + (high - low) * (int64_t)(block - before) / (int64_t)(after - before);
  else if (low >= 0) guess = low + (int64_t)((block - before) * count / blocks);
  else if (high >= 0) guess = high - (int64_t)((after - block) * count / blocks);
  return guess < 0 ? 0 : (uint64_t)guess < count ? (uint64_t)guess : count;
}

// How many entries of a sorted table that is read in place begin at or before `wanted`; about `guess`. By galloping (Bentley and Yao,
// An almost optimal algorithm for unbounded searching, 1976): what is far from there is out of the processor's cache.
static uint64_t count_in_place(uintptr_t table, uint64_t count, uint64_t guess, int64_t wanted) {
  uint64_t low = 0, high = count; // entries before `low` begin at or before it, those from `high` on after it
  if (guess > 0 && entry_start(table, guess - 1) > wanted) {
    high = guess - 1;
    for (uint64_t step = GALLOP_FIRST; step < high; step *= 2) {
      if (entry_start(table, high - step) <= wanted) {
        low = high - step + 1;
        break;
      }
      high -= step;
    }
  } else {
    low = guess;
    for (uint64_t step = GALLOP_FIRST; step < count - low; step *= 2) {
      if (entry_start(table, low + step - 1) > wanted) {
        high = low + step - 1;
        break;
      }
      low += step;
    }
  }
  while (low < high) {
    uint64_t middle = low + (high - low) / 2;
    if (entry_start(table, middle) <= wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

// The description that the last entry of a search table which begins at or before `address` leads to: in place, from module->search_table.
static SP_EVERY_TICK enum sp_cfi_result search_in_place(const struct sp_module *module, uintptr_t address, uintptr_t *fde) {
  uint64_t count = module->search_entries;
  bool large = module->blocks != NULL && address >= module->code_start && address < module->code_end;
  uint64_t block = large ? (address - module->code_start) >> SP_CODE_BLOCK_SHIFT : 0;
  int64_t wanted = (int64_t)(address - module->eh_frame_hdr);
  uint64_t found = count_in_place(module->search_table, count, large ? guess_count(module, count, block) : count / 2, wanted);
  if (large) atomic_store_explicit(&module->blocks[block], (uint32_t)found + 1, memory_order_relaxed);
  if (found == 0) return SP_CFI_NONE;
  int32_t entry[2];
  memcpy(entry, (const void *)(module->search_table + (found - 1) * 8), 8);
  *fde = module->eh_frame_hdr + (uintptr_t)(intptr_t)entry[1];
  return SP_CFI_FOUND;
}

// The same through the reader.
static enum sp_cfi_result search_by_reader(struct sp_reader *reader, const struct sp_module *module, uintptr_t table, uint64_t count,
                                           uintptr_t address, uintptr_t *fde) {
  int64_t wanted = (int64_t)(address - module->eh_frame_hdr);
  int32_t entry[2] = {0, 0};
  uint64_t low = 0, high = count; // entries before `low` begin at or before the address, those from `high` on after it
  while (low < high) {
    uint64_t middle = low + (high - low) / 2;
    if (!sp_reader_copy(reader, module->number, table + middle * 8, entry, 4)) return SP_CFI_UNREADABLE;
    if (entry[0] <= wanted) low = middle + 1;
    else high = middle;
  }
  if (low == 0) return SP_CFI_NONE;
  if (!sp_reader_copy(reader, module->number, table + (low - 1) * 8, entry, 8)) return SP_CFI_UNREADABLE;
  *fde = module->eh_frame_hdr + (uintptr_t)(intptr_t)entry[1];
  return SP_CFI_FOUND;
}

// What .eh_frame_hdr says: where .eh_frame is, and the sorted search table; `table` 0 if there is none.
static enum sp_cfi_result read_header(struct sp_reader *reader, const struct sp_module *module, uintptr_t *frames, uintptr_t *table,
                                      uint64_t *count) {
  uintptr_t end = module->eh_frame_hdr_end < module->image_end ? module->eh_frame_hdr_end : module->image_end;
  struct sp_cursor c = sp_cursor_at(reader, module, module->eh_frame_hdr, end);
  uint8_t version = sp_cursor_u8(&c), frame_encoding = sp_cursor_u8(&c), count_encoding = sp_cursor_u8(&c),
          table_encoding = sp_cursor_u8(&c);
  if (c.failed) return SP_CFI_UNREADABLE;
  if (version != 1 || frame_encoding == ENCODING_OMIT) return SP_CFI_DAMAGED;
  *frames = sp_cursor_pointer(&c, frame_encoding, module->eh_frame_hdr, 0);
  if (c.failed) return SP_CFI_DAMAGED;
  *table = 0;
  if (count_encoding == ENCODING_OMIT || table_encoding != SORTED_TABLE) return SP_CFI_FOUND;
  *count = sp_cursor_pointer(&c, count_encoding, module->eh_frame_hdr, 0);
  if (c.failed || *count > (end - c.position) / 8) return SP_CFI_DAMAGED;
  *table = c.position;
  return SP_CFI_FOUND;
}

void sp_cfi_place(struct sp_reader *reader, struct sp_module *module) {
  uintptr_t frames, table;
  uint64_t count;
  module->search_table = 0;
  if (module->eh_frame_hdr == 0 || read_header(reader, module, &frames, &table, &count) != SP_CFI_FOUND) return;
  if (table < module->tables_start || table >= module->tables_end || count > (module->tables_end - table) / 8 || count >= UINT32_MAX) return;
  module->search_table = table;
  module->search_entries = (uint32_t)count;
}

// By the sorted table of .eh_frame_hdr; a file without one is gone through from the start.
SP_EVERY_TICK enum sp_cfi_result sp_cfi_find(struct sp_reader *reader, const struct sp_module *module, uintptr_t address,
                                             struct sp_cie *cie, struct sp_fde *fde) {
  if (module->eh_frame_hdr == 0) return SP_CFI_NONE;
  uintptr_t frames = 0, table = module->search_table, at, next;
  uint64_t count;
  enum sp_cfi_result result;
  if (table != 0) {
    result = search_in_place(module, address, &at);
  } else {
    result = read_header(reader, module, &frames, &table, &count);
    if (result == SP_CFI_FOUND && table != 0) result = search_by_reader(reader, module, table, count, address, &at);
  }
  if (result != SP_CFI_FOUND) return result;
  if (table != 0) return read_fde(reader, module, at, address, cie, fde, &next);
  at = frames;
  for (unsigned n = 0; n < LINEAR_ENTRIES_MAX && at != 0; n++, at = next) {
    result = read_fde(reader, module, at, address, cie, fde, &next);
    if (result != SP_CFI_NONE) return result;
  }
  return SP_CFI_NONE;
}
