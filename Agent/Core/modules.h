// The loaded code of the process: which module an address lies in, found from a signal handler.
//
// Modules are found when an address in them is first seen, by _dl_find_object (glibc 2.35 or newer; weak, lock-free)
// or else by reading /proc/self/maps; dlopen is not wrapped. The table is fixed, append-only and lock-free;
// a slot is filled by one thread and published whole; a thread that meets a slot being filled makes its own
// (two numbers for one module do no harm). A number is never used again for something else.
// Async-signal-safe throughout. Memory: SP_MODULES_MAX slots of 2 KB, mapped when the first module is looked for and touched as
// they are used.
#ifndef SP_MODULES_H
#define SP_MODULES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SP_MODULES_MAX 4096
#define SP_BUILD_ID_MAX 32
#define SP_PHDRS_MAX 16
#define SP_MODULE_PATH_MAX 1024
#define SP_CODE_BLOCK_SHIFT 12

struct sp_module_phdr {
  uint32_t type, flags;
  uint64_t offset, vaddr, filesz, memsz;
};

// What every tick uses comes first.
struct sp_module {
  uint32_t number; // from 1
  uint32_t flags;  // enum sp_mapping_flag
  _Atomic uint32_t recorded; // its record is in the trace (mapping_record.c)
  _Atomic uint32_t gone;     // set when it was seen to be unloaded
  uintptr_t start, end;
  uintptr_t image_start, image_end; // of the file's whole image; a program with gaps is a module for each part
  uintptr_t bias;                   // process address minus file virtual address
  uint64_t file_offset;           // of start
  uintptr_t code_start, code_end; // its first executable segment; empty if not known
  uintptr_t tables_start, tables_end; // the segment that .eh_frame_hdr is in, if it cannot be unloaded; else empty
  // For cfi_table.c, of a module whose tables are in place: its sorted search table, 0: none or not asked for. And of a large one by block
  // of code 1 + how many entries of that begin at or before the address that was looked for last in it; 0: none was. NULL: none.
  uintptr_t search_table;
  uint32_t search_entries;
  _Atomic uint32_t *blocks;
  uintptr_t eh_frame_hdr;         // address in the process, 0: none
  uintptr_t eh_frame_hdr_end;
  uint32_t build_id_size;
  uint8_t build_id[SP_BUILD_ID_MAX];
  uint32_t phdr_count;
  struct sp_module_phdr phdrs[SP_PHDRS_MAX];
  uint64_t device, inode, size, mtime_ns; // by stat() of the path; 0 unknown
  uint32_t header_crc;                    // CRC-32C of the ELF header and program headers
  char path[SP_MODULE_PATH_MAX];          // absolute, NUL-terminated
};

struct sp_reader;

// At load, before any tick: looks up what may not be looked up in a handler.
void sp_modules_load(void);

// The module that `address` lies in, or NULL. Notices when another module has come to lie at the addresses of one
// that is known: that one is marked gone and the new one gets a number of its own. `reader` belongs to the calling thread.
const struct sp_module *sp_module_find(struct sp_reader *reader, uintptr_t address);

// The same, if that is one of the modules that were found last and cannot be unloaded, else NULL; touches nothing but the reader.
const struct sp_module *sp_module_recent(const struct sp_reader *reader, uintptr_t address);

// Whether `address` lies in a part of the module that is executable.
bool sp_module_is_code(const struct sp_module *module, uintptr_t address);

// The module of a number that sp_module_find returned, else NULL.
struct sp_module *sp_module_by_number(uint32_t number);

// Looks whether one of the known modules (another one at each call) is still there; a number that has just been seen to
// be gone is returned, once, else 0.
uint32_t sp_modules_sweep(struct sp_reader *reader);

// The range of the agent's own code: addresses in it are never shown as frames.
void sp_modules_ignore(uintptr_t start, uintptr_t end);
bool sp_modules_ignored(uintptr_t address);

// In a forked child: no module is known yet.
void sp_modules_forked(void);

#endif
