// What a loaded ELF image says of itself, read from its memory, and what the file system says of its file.
//
// Async-signal-safe; every load goes through the reader. Memory: under 1 KB of stack.
#ifndef SP_MODULE_FACTS_H
#define SP_MODULE_FACTS_H

#include <stdbool.h>

#include "memory_reader.h"
#include "modules.h"

// A proof that the same image is still at its place: `size` 4: those bytes at `address` (of the build ID) are
// `value`; more: their CRC-32C is `value`; 0: nothing is known.
struct sp_module_proof {
  uintptr_t address;
  uint32_t size;
  uint32_t value;
};

// Fills bias, image_end, code, program headers, build ID, place of .eh_frame_hdr and header_crc from the ELF header at
// `module->image_start`, and the proof. False, and nothing changed, if there is no ELF header of this machine.
bool sp_module_read_elf(struct sp_reader *reader, struct sp_module *module, struct sp_module_proof *proof);

// Fills file_offset, code and tables, once start, end and what sp_module_read_elf fills are known. `permanent`: the image is
// never unloaded.
void sp_module_place(struct sp_module *module, bool permanent);

// Whether the proof still holds. Nothing that was read before this walk is used.
bool sp_module_proof_holds(struct sp_reader *reader, const struct sp_module_proof *proof);

// Fills device, inode, size and mtime_ns by the path; they stay 0 where the file is not to be found.
void sp_module_stat(struct sp_module *module);

// Copies a path of at most `size` - 1 bytes without the " (deleted)" that the kernel appends.
void sp_module_set_path(struct sp_module *module, const char *path, size_t size);

#endif
