#define _GNU_SOURCE
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>

#include "apart.h"
#include "private_memory.h"
#include "raw_syscall.h"

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#else
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#define SETS_MAX 16
#define THREAD_CLOCK (~1000u << 3 | 6)
#define HERE ((uint32_t)AT_FDCWD)
#define NONE ((uint32_t)-1)

__thread const struct sp_calls *sp_forbidden_own;
const struct sp_calls *_Atomic sp_forbidden_all SP_HOT;

static struct sp_calls sets[SETS_MAX];
static _Atomic uint32_t set_count;

// The agent's calls, with the arguments that a filter may look at. 1 stands for an address.
static const struct call {
  int number;
  uint64_t arguments[6];
} calls[] = {
    {SYS_clock_gettime, {CLOCK_THREAD_CPUTIME_ID, 1}},
    {SYS_clock_gettime, {CLOCK_PROCESS_CPUTIME_ID, 1}},
    {SYS_clock_gettime, {THREAD_CLOCK, 1}},
    {SYS_clock_gettime, {CLOCK_MONOTONIC, 1}},
    {SYS_clock_gettime, {CLOCK_REALTIME, 1}},
    {SYS_clock_getres, {CLOCK_MONOTONIC_COARSE, 1}},
    {SYS_clone, {SP_APART_FLAGS, 1, 0, 1}},
    {SYS_close, {3}},
    {SYS_close_range, {0, UINT32_MAX, CLOSE_RANGE_UNSHARE}},
    {SYS_exit, {0}},
    {SYS_fallocate, {3, 0, 4096, 4096}},
    {SYS_fchmod, {3, 0600}},
    {SYS_fcntl, {3, F_DUPFD_CLOEXEC, 900}},
    {SYS_fcntl, {900, F_SETOWN_EX, 1}},
    {SYS_fcntl, {900, F_SETSIG, SIGPROF}},
    {SYS_fcntl, {900, F_SETFL, O_RDWR | O_ASYNC}},
    {SYS_fstat, {3, 1}},
    {SYS_futex, {1, FUTEX_WAIT, 1}},
    {SYS_futex, {1, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG, 0, 0, 1}},
    {SYS_getcwd, {1, 4096}},
    {SYS_getitimer, {ITIMER_PROF, 1}},
    {SYS_getpid, {0}},
    {SYS_getppid, {0}},
    {SYS_getrandom, {1, 16}},
    {SYS_gettid, {0}},
    {SYS_ioctl, {900, PERF_EVENT_IOC_ENABLE}},
    {SYS_madvise, {1, 4096, MADV_DONTFORK}},
    {SYS_madvise, {1, 4096, MADV_POPULATE_WRITE}},
    {SYS_mincore, {1, 4096, 1}},
    {SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, NONE}},
    {SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, 3, 4096}},
    {SYS_mmap, {0, 4096, PROT_READ, MAP_SHARED, 900}},
    {SYS_munmap, {1, 4096}},
    {SYS_nanosleep, {1}},
    {SYS_newfstatat, {HERE, 1, 1}},
    {SYS_openat, {HERE, 1, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600}},
    {SYS_openat, {HERE, 1, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK}},
    {SYS_openat, {HERE, 1, O_RDONLY | O_CLOEXEC}},
    {SYS_perf_event_open, {1, 1000, NONE, NONE, PERF_FLAG_FD_CLOEXEC}},
    {SYS_ppoll, {1, 1, 1}},
    {SYS_prctl, {PR_GET_NAME, 1}},
    {SYS_prlimit64, {0, RLIMIT_FSIZE, 0, 1}},
    {SYS_process_vm_readv, {1000, 1, 1, 1, 1}},
    {SYS_pwrite64, {3, 1, 4096, 4096}},
    {SYS_read, {3, 1, 4096}},
    {SYS_readlinkat, {HERE, 1, 1, 4096}},
    {SYS_rt_sigaction, {SIGPROF, 1, 1, 8}},
    {SYS_rt_sigpending, {1, 8}},
    {SYS_rt_sigprocmask, {SIG_BLOCK, 1, 1, 8}},
    {SYS_rt_sigprocmask, {SIG_SETMASK, 1, 1, 8}},
    {SYS_rt_sigprocmask, {UINT32_MAX, 1, 0, 8}},
    {SYS_rt_sigqueueinfo, {1000, SIGPROF, 1}},
    {SYS_rt_sigreturn, {0}},
    {SYS_rt_sigtimedwait, {1, 0, 1, 8}},
    {SYS_rt_tgsigqueueinfo, {1000, 1000, SIGPROF, 1}},
    {SYS_sched_getaffinity, {0, 128, 1}},
    {SYS_sched_yield, {0}},
    {SYS_setitimer, {ITIMER_PROF, 1}},
    {SYS_tgkill, {1000, 1000, SIGPROF}},
    {SYS_timer_create, {THREAD_CLOCK, 1, 1}},
    {SYS_timer_delete, {0}},
    {SYS_timer_settime, {0, 0, 1}},
    {SYS_uname, {1}},
    {SYS_unshare, {CLONE_FILES}},
    {SYS_unlinkat, {HERE, 1}},
    {SYS_write, {2, 1, 80}},
};

// What strict mode leaves.
static const int strict[] = {SYS_read, SYS_write, SYS_exit, SYS_rt_sigreturn};

static void set_bit(struct sp_calls *set, int n) { set->words[n / 64] |= 1ull << n % 64; }
static bool has(const struct sp_calls *set, int n) { return set->words[n / 64] >> n % 64 & 1; }

// The second operand of an arithmetic or jump instruction.
static uint32_t operand(const struct sock_filter *i, uint32_t x) { return BPF_SRC(i->code) == BPF_X ? x : i->k; }

// What an arithmetic instruction makes of `a`. A division by zero ends the filter with 0.
static bool compute(const struct sock_filter *i, uint32_t *a, uint32_t x) {
  uint32_t b = operand(i, x);
  switch (BPF_OP(i->code)) {
  case BPF_ADD: *a += b; return true;
  case BPF_SUB: *a -= b; return true;
  case BPF_MUL: *a *= b; return true;
  case BPF_DIV: *a = b == 0 ? 0 : *a / b; return b != 0;
  case BPF_AND: *a &= b; return true;
  case BPF_OR: *a |= b; return true;
  case BPF_XOR: *a ^= b; return true;
  case BPF_LSH: *a = b < 32 ? *a << b : 0; return true;
  case BPF_RSH: *a = b < 32 ? *a >> b : 0; return true;
  case BPF_NEG: *a = 0 - *a; return true;
  default: return false;
  }
}

// Whether a jump is taken.
static bool jumps(const struct sock_filter *i, uint32_t a, uint32_t x) {
  uint32_t b = operand(i, x);
  switch (BPF_OP(i->code)) {
  case BPF_JEQ: return a == b;
  case BPF_JGT: return a > b;
  case BPF_JGE: return a >= b;
  default: return (a & b) != 0; // BPF_JSET
  }
}

// What a filter answers to a call, by the rules of the kernel's Documentation/networking/filter.rst. SECCOMP_RET_KILL_PROCESS for what
// the kernel would not take.
static uint32_t run(const struct sock_filter *code, uint32_t length, const struct seccomp_data *data) {
  uint32_t a = 0, x = 0, memory[BPF_MEMWORDS] = {0};
  for (uint32_t at = 0; at < length; at++) { // jumps go forward only
    const struct sock_filter *i = &code[at];
    switch (BPF_CLASS(i->code)) {
    case BPF_LD:
    case BPF_LDX: {
      uint32_t value;
      if (BPF_MODE(i->code) == BPF_IMM) value = i->k;
      else if (BPF_MODE(i->code) == BPF_LEN) value = sizeof *data;
      else if (BPF_MODE(i->code) == BPF_MEM && i->k < BPF_MEMWORDS) value = memory[i->k];
      else if (BPF_MODE(i->code) == BPF_ABS && i->k % 4 == 0 && i->k < sizeof *data) memcpy(&value, (const uint8_t *)data + i->k, 4);
      else return SECCOMP_RET_KILL_PROCESS;
      *(BPF_CLASS(i->code) == BPF_LD ? &a : &x) = value;
      break;
    }
    case BPF_ST:
    case BPF_STX:
      if (i->k >= BPF_MEMWORDS) return SECCOMP_RET_KILL_PROCESS;
      memory[i->k] = BPF_CLASS(i->code) == BPF_ST ? a : x;
      break;
    case BPF_ALU:
      if (!compute(i, &a, x)) return SECCOMP_RET_KILL_PROCESS;
      break;
    case BPF_JMP:
      if (BPF_OP(i->code) == BPF_JA) {
        if (i->k >= length - at) return SECCOMP_RET_KILL_PROCESS;
        at += i->k;
      } else {
        at += jumps(i, a, x) ? i->jt : i->jf;
      }
      break;
    case BPF_RET: return BPF_RVAL(i->code) == BPF_A ? a : i->k;
    case BPF_MISC:
      if (BPF_MISCOP(i->code) == BPF_TAX) x = a;
      else a = x;
      break;
    }
  }
  return SECCOMP_RET_KILL_PROCESS;
}

// Looks at one call.
static void judge(const struct sock_filter *code, uint32_t length, const struct call *call, struct sp_calls *forbidden) {
  struct seccomp_data data = {.nr = call->number, .arch = ARCHITECTURE, .instruction_pointer = (uintptr_t)judge};
  for (unsigned i = 0; i < 6; i++) data.args[i] = call->arguments[i] == 1 ? (uintptr_t)sets : call->arguments[i];
  uint32_t answer = run(code, length, &data);
  if ((answer & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ALLOW) return;
  set_bit(forbidden, call->number);
  // An error of 0 looks like success.
  if ((answer & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_ERRNO || (answer & SECCOMP_RET_DATA) == 0) set_bit(forbidden, SP_CALLS_HARM);
}

// Calls that make sense together only.
static void complete(struct sp_calls *forbidden) {
  static const int of_message[] = {SYS_fstat, SYS_newfstatat, SYS_ppoll, SYS_rt_sigprocmask, SYS_rt_sigpending, SYS_rt_sigtimedwait};
  for (unsigned i = 0; i < sizeof of_message / sizeof *of_message; i++)
    if (has(forbidden, of_message[i])) set_bit(forbidden, SYS_write);
  if (has(forbidden, SYS_close)) set_bit(forbidden, SYS_openat);
  if (has(forbidden, SYS_munmap)) set_bit(forbidden, SYS_mmap);
  if (has(forbidden, SYS_timer_settime) || has(forbidden, SYS_timer_delete)) set_bit(forbidden, SYS_timer_create);
  if (has(forbidden, SYS_close) || has(forbidden, SYS_fcntl) || has(forbidden, SYS_ioctl)) set_bit(forbidden, SYS_perf_event_open);
}

// Copies memory of the program's that may not be there.
static bool copy_from(const void *from, void *to, size_t size) {
  struct iovec local = {to, size}, remote = {(void *)from, size};
  return sp_syscall6(SYS_process_vm_readv, sp_syscall0(SYS_getpid), (long)&local, 1, (long)&remote, 1, 0) == (long)size;
}

static void forbid_all(struct sp_calls *forbidden) { memset(forbidden, 0xff, sizeof *forbidden); }

// A filter that cannot be read forbids everything; if the kernel cannot read it either nothing comes of it.
bool sp_sandbox_evaluate(const struct sock_fprog *filter, struct sp_calls *forbidden) {
  struct sock_fprog program;
  memset(forbidden, 0, sizeof *forbidden);
  if (filter == NULL) {
    forbid_all(forbidden);
    for (unsigned i = 0; i < sizeof strict / sizeof *strict; i++) forbidden->words[strict[i] / 64] &= ~(1ull << strict[i] % 64);
    complete(forbidden);
    return true;
  }
  struct sock_filter *code = sp_private_map(BPF_MAXINSNS * sizeof *code);
  if (code == NULL || !copy_from(filter, &program, sizeof program) || program.len > BPF_MAXINSNS ||
      !copy_from(program.filter, code, program.len * sizeof *code)) {
    forbid_all(forbidden);
  } else {
    for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++) judge(code, program.len, &calls[i], forbidden);
    complete(forbidden);
  }
  if (code != NULL) sp_private_unmap(code, BPF_MAXINSNS * sizeof *code);
  for (unsigned i = 0; i < SP_CALLS_END / 64; i++)
    if (forbidden->words[i] != 0) return true;
  return false;
}

// The last set of the table takes all that come after it: too much is forbidden then, and nothing too little.
const struct sp_calls *sp_sandbox_add(const struct sp_calls *before, const struct sp_calls *more) {
  if (more == NULL) return before;
  uint32_t index = atomic_load(&set_count) < SETS_MAX ? atomic_fetch_add(&set_count, 1) : SETS_MAX;
  struct sp_calls *set = &sets[index < SETS_MAX ? index : SETS_MAX - 1];
  for (unsigned i = 0; i < SP_CALLS_END / 64; i++)
    __atomic_fetch_or(&set->words[i], more->words[i] | (before != NULL ? before->words[i] : 0), __ATOMIC_RELAXED);
  return set;
}

bool sp_sandbox_bears_ticks(const struct sp_calls *calls) {
  static const int always[] = {SYS_rt_sigreturn, SYS_clock_gettime, SYS_getpid, SYS_gettid};
  if (calls == NULL) return true;
  for (unsigned i = 0; i < sizeof always / sizeof *always; i++)
    if (has(calls, always[i])) return false;
  return !has(calls, SYS_process_vm_readv) || !has(calls, SYS_rt_sigprocmask); // else no load could be checked
}
