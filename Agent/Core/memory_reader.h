// Loads from this process's own memory that cannot fault, whatever the address.
//
// A page of 4 KB is copied by the kernel (process_vm_readv; where that is refused, the page is first probed by a system
// call that fails with EFAULT instead of a signal, and then copied) and kept. A page that was read with a tag other than 0
// is code or tables of the module of that number: those do not change, so it stays valid for as long as it stays in the
// cache. A page with tag 0 is data, valid until the next sp_reader_begin.
// Async-signal-safe; one reader a thread, calls on one reader may not overlap. Memory: struct sp_reader, no more.
#ifndef SP_MEMORY_READER_H
#define SP_MEMORY_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SP_READER_PAGES 12
#define SP_READER_PAGE_SIZE 4096
#define SP_READER_VERIFIED_MAX 16
#define SP_READER_RECENT 8

enum sp_reader_method {
  SP_READER_KERNEL_COPY = 0, // process_vm_readv
  SP_READER_PROBE = 1,       // the kernel refuses that: probe, then copy
};

struct sp_module;

// Zeroed memory is a valid first state.
struct sp_reader {
  uint32_t epoch;                         // of data pages: the number of the walk
  int pid;                                // for process_vm_readv; 0: not asked for yet in this walk
  uint8_t method;                         // enum sp_reader_method
  uint8_t verified_count;                 // modules.c: modules that were seen to be still there in this walk
  uint16_t last, next;                    // page that was used last, page to be replaced next
  uint32_t sweep;                         // modules.c: where to look next for modules that have gone
  uint32_t verified[SP_READER_VERIFIED_MAX];
  // modules.c: modules that cannot be unloaded, those that were found last; and which is to be replaced next.
  struct {
    uintptr_t start, end;
    const struct sp_module *module;
  } recent[SP_READER_RECENT];
  uint32_t recent_next;
  struct {
    uintptr_t address; // of the page; 0: empty
    uint32_t tag;
    uint32_t epoch;
  } pages[SP_READER_PAGES];
  char scratch[8192];                   // for reading /proc
  _Alignas(64) uint8_t data[SP_READER_PAGES][SP_READER_PAGE_SIZE];
};

// Begins a new walk: data that was read before is forgotten.
void sp_reader_begin(struct sp_reader *reader);

// The bytes of the 4 KB page that `address` lies in, or NULL if it cannot be read. Valid until the next call.
const uint8_t *sp_reader_page(struct sp_reader *reader, uint32_t tag, uintptr_t address);

// Copies `size` bytes at `address` to `out`. False, and `out` undefined, if not all of them can be read.
bool sp_reader_copy(struct sp_reader *reader, uint32_t tag, uintptr_t address, void *out, size_t size);

// Whether the four bytes at `address` (a multiple of 4) are `value`, at this moment: nothing kept is used.
bool sp_reader_same(struct sp_reader *reader, uintptr_t address, uint32_t value);

// Whether a load from the text, up to its end but no more than `size` bytes, would not fault.
bool sp_text_readable(const char *text, size_t size);

// The same for an aligned list of pointers up to its NULL, and how many come before that.
bool sp_list_readable(const void *const *list, size_t *count);

#endif
