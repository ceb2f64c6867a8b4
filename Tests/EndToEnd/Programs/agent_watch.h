// Watches what the profiler's own code asks of the kernel: a system call that could wait, or is not known here, raises SIGSYS. The
// profiler's handler blocks that signal, and the process ends by it; elsewhere it is passed over.
#ifndef AGENT_WATCH_H
#define AGENT_WATCH_H

#include <link.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

// Past prctl(), which the agent stands in for: it would heed the filter and make no call that could be caught.
static inline long set_filter(const void *program) {
#if defined(__x86_64__)
  long result;
  register long none __asm__("r10") = 0;
  __asm__ volatile("syscall" : "=a"(result) : "a"(SYS_prctl), "D"(PR_SET_SECCOMP), "S"(SECCOMP_MODE_FILTER), "d"(program), "r"(none)
                   : "rcx", "r11", "memory");
  return result;
#else
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program);
#endif
}

// Where the profiler's library lies; empty without it.
static uintptr_t agent_start, agent_end;

static int agent_find(struct dl_phdr_info *info, size_t size, void *unused) {
  (void)size, (void)unused;
  if (strstr(info->dlpi_name, "libstatprof") == NULL) return 0;
  agent_start = info->dlpi_addr;
  for (int i = 0; i < info->dlpi_phnum; i++)
    if (info->dlpi_phdr[i].p_type == PT_LOAD) agent_end = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
  return 1;
}

static void agent_pass_over(int number) { (void)number; }

// Watches from now on, in this thread and those that it makes. False: it cannot be done here.
static int agent_watch(void) {
  // None of them waits for another thread or process.
  static const unsigned allowed[] = {
      SYS_clock_gettime, SYS_clock_getres, SYS_gettid, SYS_getpid, SYS_getppid, SYS_prctl, SYS_process_vm_readv, SYS_mincore,
      SYS_rt_sigprocmask, SYS_timer_create, SYS_timer_settime, SYS_timer_delete, SYS_setitimer, SYS_prlimit64, SYS_sched_getaffinity,
      SYS_mmap, SYS_munmap, SYS_madvise, SYS_openat, SYS_close, SYS_read, SYS_fstat, SYS_newfstatat, SYS_fallocate, SYS_pwrite64,
      SYS_readlinkat, SYS_getcwd, SYS_uname, SYS_getrandom,
      // The thread that opens files (apart.c).
      SYS_clone, SYS_close_range, SYS_exit,
  };
  enum { CALLS = sizeof allowed / sizeof *allowed, REFUSE = CALLS + 10, PASS };
  struct sock_filter filter[PASS + 1];
  unsigned n = 0;
  dl_iterate_phdr(agent_find, NULL);
  if (agent_end == 0 || agent_start >> 32 != agent_end >> 32) return 0;
#define LOAD(offset) (filter[n] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset), n++)
#define DISTANCE(target) ((uint8_t)((target) - n - 1))
#define JUMP(how, value, yes, no) \
  (filter[n] = (struct sock_filter)BPF_JUMP(BPF_JMP | (how) | BPF_K, (uint32_t)(value), DISTANCE(yes), DISTANCE(no)), n++)
  LOAD(offsetof(struct seccomp_data, instruction_pointer) + 4);
  JUMP(BPF_JEQ, agent_start >> 32, n + 1, PASS);
  LOAD(offsetof(struct seccomp_data, instruction_pointer));
  JUMP(BPF_JGE, agent_start, n + 1, PASS);
  JUMP(BPF_JGE, agent_end, PASS, n + 1);
  LOAD(offsetof(struct seccomp_data, nr));
  for (unsigned i = 0; i < CALLS; i++) JUMP(BPF_JEQ, allowed[i], PASS, n + 1);
  JUMP(BPF_JEQ, SYS_futex, n + 1, REFUSE); // an operation that only compares is one more, and so is to wait for the thread's end
  LOAD(offsetof(struct seccomp_data, args[1]));
  JUMP(BPF_JEQ, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG, PASS, n + 1);
  JUMP(BPF_JEQ, FUTEX_WAIT, PASS, REFUSE);
  filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
  filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
#undef LOAD
#undef DISTANCE
#undef JUMP
  struct sigaction pass_over = {.sa_handler = agent_pass_over};
  struct sock_fprog program = {.len = (unsigned short)n, .filter = filter};
  return n == PASS + 1 && sigaction(SIGSYS, &pass_over, NULL) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         set_filter(&program) == 0;
}

#endif
