#include "trace_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "apart.h"
#include "crc32c.h"
#include "message.h"
#include "output_name.h"
#include "private_memory.h"
#include "proc_facts.h"
#include "raw_syscall.h"
#include "record_writer.h"
#include "version.h"

static struct {
  struct sp_file_header *header; // written by the thread that begins, constant while recording
  uint64_t device, inode;        // likewise
  uint64_t page_size;            // likewise; the kernel's
  _Atomic uint64_t end;          // where the next chunk goes
  _Atomic uint32_t writers;
  _Atomic uint32_t full; // reason + 1 once the file may grow no more
} file SP_HOT;
static char path[SP_OUTPUT_PATH_MAX]; // as file.header

const char *sp_trace_path(void) { return path; }
uint32_t sp_trace_new_writer(void) { return atomic_fetch_add(&file.writers, 1) + 1; }

uint64_t sp_trace_tag(void) {
  uint64_t tag;
  memcpy(&tag, file.header->trace_id, sizeof tag);
  return tag;
}

struct sp_live *sp_trace_live(void) {
  return file.header == NULL ? NULL : (struct sp_live *)((uint8_t *)file.header + SP_LIVE_OFFSET);
}

// Adds to a counter of the live block, which other threads may be adding to.
static void add(uint64_t *counter, uint64_t amount) { __atomic_fetch_add(counter, amount, __ATOMIC_RELAXED); }

void sp_trace_lost(uint32_t reason, uint64_t count, uint64_t cpu) {
  struct sp_live *live = sp_trace_live();
  if (live == NULL) return;
  add(&live->lost[reason].count, count);
  add(&live->lost[reason].cpu, cpu);
}

void sp_trace_forked(void) {
  memset(&file, 0, sizeof file); // the mapped header is not in this process
}

// Whether the file may grow to `size` bytes without the signal that the file-size limit sends.
static bool within_limit(uint64_t size) {
  struct rlimit limit;
  if (sp_syscall4(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, &limit) != 0) return true;
  return limit.rlim_cur == RLIM_INFINITY || size <= limit.rlim_cur;
}

// Gives the bytes [offset, offset + size) of the file real space. 0 or -errno.
static long allocate(int fd, uint64_t offset, uint32_t size) {
  static const char zeros[SP_CHUNK_ALIGNMENT];
  if (!within_limit(offset + size)) return -EFBIG;
  long result = sp_syscall4(SYS_fallocate, fd, 0, offset, size);
  if (result != -EOPNOTSUPP && result != -ENOSYS) return result;
  for (uint32_t done = 0; done < size; done += SP_CHUNK_ALIGNMENT) {
    result = sp_syscall4(SYS_pwrite64, fd, zeros, SP_CHUNK_ALIGNMENT, offset + done);
    if (result != SP_CHUNK_ALIGNMENT) return sp_syscall_failed(result) ? result : -ENOSPC;
  }
  return 0;
}

// Allocates and maps a part of the file, its pages present; chunks may begin within a page of a kernel whose pages are large. 0 or
// -errno.
static long map_part(int fd, uint64_t offset, uint32_t size, void **memory) {
  long result = allocate(fd, offset, size);
  if (result != 0) return result;
  uint64_t before = offset & (file.page_size - 1);
  result = sp_syscall6(SYS_mmap, 0, (long)(before + size), PROT_READ | PROT_WRITE, MAP_SHARED, fd, (long)(offset - before));
  if (sp_syscall_failed(result)) return result;
  sp_private_keep((void *)result, before + size);
  *memory = (uint8_t *)result + before;
  // A file system that allocates again when it writes says so here; an old kernel that does not know the advice cannot.
  result = sp_syscall3(SYS_madvise, (uint8_t *)*memory - before, before + size, MADV_POPULATE_WRITE);
  if (result == 0 || result == -EINVAL) return 0;
  sp_trace_release(*memory, size);
  return result == -EFAULT ? -ENOSPC : result;
}

// Fills the file header at `h`, the checksum last.
static void write_header(struct sp_file_header *h) {
  struct sp_proc_identity identity;
  sp_proc_identity(&identity);
  *h = (struct sp_file_header){
      .version = SP_TRACE_VERSION,
      .reader_version_min = SP_READER_VERSION_MIN,
      .header_size = SP_HEADER_SIZE,
      .features = sp_agent.options.arguments ? SP_FEATURE_ARGUMENTS : 0,
      .machine = SP_MACHINE,
      .exec_generation = sp_agent.exec_generation,
      .page_size = (uint32_t)file.page_size,
      .agent_version = SP_AGENT_VERSION,
      .pid = sp_agent.pid,
      .parent_pid = identity.parent_pid,
      .pid_namespace = identity.pid_namespace,
      .start_time_ticks = identity.start_time_ticks,
      .parent_start_time_ticks = identity.parent_start_time_ticks,
      .first_pid = sp_agent.first_pid,
      .frequency = sp_agent.options.frequency,
      .clock_asked = sp_agent.options.clock,
      .unwind_asked = sp_agent.options.unwind,
      .cpu_count = identity.cpu_count,
      .tick_ns = sp_agent.tick_ns,
      .load_monotonic_ns = sp_agent.load_monotonic_ns,
      .load_realtime_ns = sp_load_realtime_ns(),
      .process_cpu_at_load_ns = sp_agent.process_cpu_at_load_ns,
      .thread_cpu_at_load_ns = sp_agent.thread_cpu_at_load_ns,
      .load_tid = sp_agent.load_tid,
  };
  memcpy(h->magic, SP_TRACE_MAGIC, SP_TRACE_MAGIC_SIZE);
  memcpy(h->session_id, sp_agent.session_id, sizeof h->session_id);
  memcpy(h->boot_id, identity.boot_id, sizeof h->boot_id);
  sp_random(h->trace_id, sizeof h->trace_id);
  h->checksum = sp_crc32c(0, h, offsetof(struct sp_file_header, checksum));
}

// Says why there will be no trace of this process.
static void no_trace(const char *reason) {
  char number[SP_NUMBER_MAX];
  const char *parts[] = {"no profile of process ", sp_decimal(number, sp_agent.pid), ": ", path, ": ", reason};
  sp_message(parts, 6);
}

// The making of the file.
struct creation {
  long result;        // 0 or -errno
  const char *reason; // in words, where the number says too little
};

static void create(void *argument) {
  struct creation *c = argument;
  struct stat s;
  void *memory = NULL;
  long fd = sp_output_open(path, &c->reason);
  c->result = fd < 0 ? fd : sp_syscall2(SYS_fstat, fd, &s);
  if (fd < 0) return;
  if (c->result == 0 && sp_agent.options.max_size < SP_HEADER_SIZE + SP_CHUNK_FIRST) c->reason = "STATPROF_MAX_SIZE leaves no room";
  if (c->result == 0 && (s.st_mode & 0600) != 0600) sp_syscall2(SYS_fchmod, fd, 0600); // the program's umask; chunks open the file again
  if (c->result == 0 && c->reason == NULL) c->result = map_part((int)fd, 0, SP_HEADER_SIZE, &memory);
  sp_syscall1(SYS_close, fd);
  if (c->result != 0 || c->reason != NULL) {
    sp_syscall3(SYS_unlinkat, AT_FDCWD, path, 0);
    return;
  }
  file.device = s.st_dev;
  file.inode = s.st_ino;
  atomic_store(&file.end, SP_HEADER_SIZE);
  write_header(memory);
  file.header = memory;
}

bool sp_trace_create(void) {
  char text[40];
  struct creation c = {0};
  file.page_size = (uint64_t)sysconf(_SC_PAGESIZE);
  sp_apart(create, &c);
  if (file.header == NULL) no_trace(c.reason != NULL ? c.reason : sp_error_text((int)-c.result, text));
  return file.header != NULL;
}

// A part of the file that is wanted.
struct part {
  uint64_t offset;
  uint32_t size;
  void *memory;
  long result; // 0 or -errno; -ESTALE if another file has the trace's name now
};

// Opens the trace again, and maps a new part of it.
static void extend(void *argument) {
  struct part *part = argument;
  struct stat s;
  long fd = sp_syscall3(SYS_openat, AT_FDCWD, path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  part->result = fd;
  if (fd < 0) return;
  bool same = sp_syscall2(SYS_fstat, fd, &s) == 0 && s.st_dev == file.device && s.st_ino == file.inode;
  part->result = same ? map_part((int)fd, part->offset, part->size, &part->memory) : -ESTALE;
  sp_syscall1(SYS_close, fd);
}

// Makes a number of the live part no less than `value`; other threads do the same.
static void raise_to(uint64_t *number, uint64_t value) {
  uint64_t now = __atomic_load_n(number, __ATOMIC_RELAXED);
  while (now < value && !__atomic_compare_exchange_n(number, &now, value, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
}

// Why a chunk that failed with `error` is missing.
static uint32_t reason_of(long error) {
  switch (error) {
  case -ENOMEM: return SP_LOSS_NO_MEMORY;
  case -ENOSPC:
  case -EDQUOT:
  case -EFBIG:
  case -EIO: return SP_LOSS_NO_SPACE;
  default: return SP_LOSS_NO_FILE;
  }
}

uint32_t sp_trace_new_chunk(uint32_t size, void **memory) {
  uint32_t full = atomic_load(&file.full);
  if (full != 0) return full;
  uint64_t offset = atomic_fetch_add(&file.end, size);
  if (offset + size > sp_agent.options.max_size) {
    atomic_store(&file.full, SP_LOSS_MAX_SIZE + 1);
    return SP_LOSS_MAX_SIZE + 1;
  }
  struct part part = {.offset = offset, .size = size};
  sp_apart(extend, &part);
  *memory = part.memory;
  struct sp_live *live = sp_trace_live();
  if (part.result == 0 && live != NULL) {
    uint64_t cpu = sp_process_cpu_ns() / 1000;
    if (cpu != 0) __atomic_store_n(&live->process_cpu, cpu, __ATOMIC_RELAXED); // 0: the program has given up to ask for it
    __atomic_store_n(&live->process_time, sp_now(), __ATOMIC_RELAXED);
    raise_to(&live->file_size, offset + size);
    return 0;
  }
  // Give the place back, if nobody has taken the next one, so that the file keeps no hole.
  uint64_t end = offset + size;
  atomic_compare_exchange_strong(&file.end, &end, offset);
  return reason_of(part.result) + 1;
}

void sp_trace_release(void *memory, uint32_t size) {
  uintptr_t before = (uintptr_t)memory & (file.page_size - 1);
  sp_syscall2(SYS_munmap, (uint8_t *)memory - before, before + size);
}
