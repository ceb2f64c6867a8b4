#include "introduction.h"

#include <string.h>
#include <sys/utsname.h>

#include "agent.h"
#include "private_memory.h"
#include "proc_facts.h"
#include "raw_syscall.h"

#define TEXT_PART 3000
#define PENDING_MARKS 16

// Marks that were set before there was a file: a process that uses no tick leaves none.
static struct {
  _Atomic uint32_t ready;
  uint64_t time;
  uint32_t tid;
  char name[100];
} pending[PENDING_MARKS];
static _Atomic uint32_t pending_count SP_HOT;
static _Atomic uint32_t begun SP_HOT, done SP_HOT; // what was run is being written to the trace, is in it

void sp_introduction_keep_mark(const char *name) {
  uint32_t n = atomic_fetch_add(&pending_count, 1);
  if (n >= PENDING_MARKS) return;
  size_t length = strnlen(name, sizeof pending[n].name - 1);
  memcpy(pending[n].name, name, length);
  pending[n].name[length] = 0;
  pending[n].time = sp_now();
  pending[n].tid = sp_gettid();
  atomic_store(&pending[n].ready, 1);
}

void sp_introduction_forget_marks(void) { atomic_store(&pending_count, 0); }

// Writes a text in as many records as it needs.
static void write_text(struct sp_writer *w, uint32_t what, const char *text, uint32_t size, uint64_t now) {
  uint32_t done = 0;
  do {
    uint32_t part = size - done < TEXT_PART ? size - done : TEXT_PART;
    if (sp_writer_reserve(w, part + 64, now) != 0) return;
    sp_record_begin(w, SP_RECORD_TEXT);
    sp_put_varint(w, what);
    sp_put_varint(w, size);
    sp_put_varint(w, done);
    sp_put_bytes(w, text + done, part);
    sp_record_end(w);
    done += part;
  } while (done < size);
}

// Writes the marks that waited for the file.
static void write_pending_marks(struct sp_writer *w, uint64_t now) {
  for (uint32_t i = 0; i < PENDING_MARKS; i++) {
    if (atomic_load(&pending[i].ready) == 0 || i >= atomic_load(&pending_count)) continue;
    if (sp_writer_reserve(w, 256, now) != 0) return;
    sp_record_begin(w, SP_RECORD_MARK);
    sp_put_varint(w, pending[i].time);
    sp_put_string(w, pending[i].name, (uint32_t)strlen(pending[i].name));
    sp_put_varint(w, pending[i].tid);
    sp_record_end(w);
  }
}

void sp_introduction_write(struct sp_writer *w, uint64_t now) {
  if (atomic_exchange(&begun, 1) != 0) return;
  char text[4096];
  long length = sp_read_link("/proc/self/exe", text, sizeof text);
  if (length > 0) write_text(w, SP_TEXT_EXECUTABLE, text, (uint32_t)length, now);
  if (sp_agent.options.arguments) write_text(w, SP_TEXT_ARGUMENTS, sp_agent.arguments, sp_agent.arguments_size, now);
  length = sp_syscall2(SYS_getcwd, text, sizeof text);
  if (length > 1) write_text(w, SP_TEXT_DIRECTORY, text, (uint32_t)length - 1, now);
  struct utsname name;
  if (sp_syscall1(SYS_uname, &name) == 0) {
    size_t node = strnlen(name.nodename, sizeof name.nodename);
    size_t release = strnlen(name.release, sizeof name.release);
    memcpy(text, name.nodename, node);
    text[node] = ' ';
    memcpy(text + node + 1, name.release, release);
    write_text(w, SP_TEXT_HOST, text, (uint32_t)(node + 1 + release), now);
  }
  write_pending_marks(w, now);
  sp_writer_commit(w);
  atomic_store(&done, 1);
}

bool sp_introduction_under_way(void) { return atomic_load(&begun) != atomic_load(&done); }

void sp_introduction_forked(void) {
  atomic_store(&begun, 0);
  atomic_store(&done, 0);
  for (uint32_t i = 0; i < PENDING_MARKS && atomic_load(&pending_count) > 0; i++) atomic_store(&pending[i].ready, 0);
  atomic_store(&pending_count, 0);
}
