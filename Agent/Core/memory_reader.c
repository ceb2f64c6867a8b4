#define _GNU_SOURCE
#include "memory_reader.h"

#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/uio.h>

#include "every_tick.h"
#include "raw_syscall.h"

// Starts a new walk. The process id is asked for anew in each: a fork may lie between two.
SP_EVERY_TICK void sp_reader_begin(struct sp_reader *reader) {
  if (++reader->epoch == 0) { // wrapped: no page may look fresh by chance
    for (unsigned i = 0; i < SP_READER_PAGES; i++) reader->pages[i].address = 0;
    reader->epoch = 1;
  }
  reader->pid = 0;
  reader->verified_count = 0;
}

// Whether a load of eight bytes at `address` would succeed: rt_sigprocmask reads its set first, then refuses the
// impossible `how`, so that nothing changes.
static bool readable(uintptr_t address) {
  if (address == 0) return false; // which means no set, there
  return sp_syscall4(SYS_rt_sigprocmask, ~0u, address, 0, 8) != -EFAULT;
}

// Page by page; a word never lies in two.
bool sp_text_readable(const char *text, size_t size) {
  for (size_t done = 0; done < size;) {
    uintptr_t at = (uintptr_t)text + done;
    if (!readable(at & ~(uintptr_t)7)) return false;
    size_t part = SP_READER_PAGE_SIZE - (at & (SP_READER_PAGE_SIZE - 1));
    if (part > size - done) part = size - done;
    if (memchr((const void *)at, 0, part) != NULL) return true;
    done += part;
  }
  return true;
}

// A word at the list's beginning, and at that of each further page.
bool sp_list_readable(const void *const *list, size_t *count) {
  for (size_t n = 0;; n++) {
    uintptr_t at = (uintptr_t)(list + n);
    if ((n == 0 || (at & (SP_READER_PAGE_SIZE - 1)) < sizeof *list) && !readable(at & ~(uintptr_t)7)) return false;
    if (list[n] != NULL) continue;
    *count = n;
    return true;
  }
}

// Copies the page at `page` to `out`; false if it cannot be read.
static bool copy_page(struct sp_reader *reader, uintptr_t page, uint8_t *out) {
  if (reader->method == SP_READER_KERNEL_COPY) {
    if (reader->pid == 0) reader->pid = (int)sp_syscall0(SYS_getpid);
    struct iovec local = {out, SP_READER_PAGE_SIZE};
    struct iovec remote = {(void *)page, SP_READER_PAGE_SIZE};
    long result = sp_syscall6(SYS_process_vm_readv, reader->pid, (long)&local, 1, (long)&remote, 1, 0);
    if (result != -EPERM && result != -ENOSYS && result != -EACCES && result != -ESRCH) return result == SP_READER_PAGE_SIZE;
    reader->method = SP_READER_PROBE;
  }
  if (!readable(page)) return false;
  memcpy(out, (const void *)page, SP_READER_PAGE_SIZE);
  return true;
}

// Finds the page among those kept, or reads it in place of the oldest.
const uint8_t *sp_reader_page(struct sp_reader *reader, uint32_t tag, uintptr_t address) {
  uintptr_t page = address & ~(uintptr_t)(SP_READER_PAGE_SIZE - 1);
  if (page == 0) return NULL;
  for (unsigned n = 0, i = reader->last; n < SP_READER_PAGES; n++, i = i + 1 < SP_READER_PAGES ? i + 1 : 0) {
    if (reader->pages[i].address != page || reader->pages[i].tag != tag) continue;
    if (tag == 0 && reader->pages[i].epoch != reader->epoch) continue;
    reader->last = (uint16_t)i;
    return reader->data[i];
  }
  unsigned i = reader->next;
  reader->next = (uint16_t)(i + 1 < SP_READER_PAGES ? i + 1 : 0);
  reader->pages[i].address = 0;
  if (!copy_page(reader, page, reader->data[i])) return NULL;
  reader->pages[i].address = page;
  reader->pages[i].tag = tag;
  reader->pages[i].epoch = reader->epoch;
  reader->last = (uint16_t)i;
  return reader->data[i];
}

// Copies page by page.
bool sp_reader_copy(struct sp_reader *reader, uint32_t tag, uintptr_t address, void *out, size_t size) {
  uint8_t *to = out;
  while (size > 0) {
    const uint8_t *page = sp_reader_page(reader, tag, address);
    if (page == NULL) return false;
    size_t offset = address & (SP_READER_PAGE_SIZE - 1);
    size_t part = SP_READER_PAGE_SIZE - offset;
    if (part > size) part = size;
    memcpy(to, page + offset, part);
    to += part;
    address += part;
    size -= part;
    if (size > 0 && address == 0) return false;
  }
  return true;
}

// One cheap call compares in the kernel: a futex operation that wakes none and moves none looks at the word first.
bool sp_reader_same(struct sp_reader *reader, uintptr_t address, uint32_t value) {
  long result = sp_syscall6(SYS_futex, (long)address, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG, 0, 0, (long)address, value);
  if (result == 0) return true;
  if (result == -EAGAIN || result == -EFAULT) return false;
  uint32_t there;
  uint8_t *scratch = (uint8_t *)reader->scratch;
  if (!copy_page(reader, address & ~(uintptr_t)(SP_READER_PAGE_SIZE - 1), scratch)) return false;
  memcpy(&there, scratch + (address & (SP_READER_PAGE_SIZE - 1)), sizeof there);
  return there == value;
}
