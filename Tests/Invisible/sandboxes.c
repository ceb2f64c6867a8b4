// sandboxes HOW ACTION WHEN: a program that gives up system calls, and uses CPU time before and after, without any but those that are left to
// it. HOW: strict, prctl, seccomp, tsync (in all threads), thread (in one of two), differs (likewise, and then one for all threads is
// refused, since that one has its own), exec (the next image is under it too); or counter: the
// processor's time stamp counter, of which the vDSO makes its clocks, is given up, in the next image too. ACTION:
// what the others get (kill, thread, trap, errno, zero, none). WHEN: before or after the first tick.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "work.h"

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#else
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

static uint64_t loops; // of a tenth of a second

// CPU time without a look at a clock, and without a word of memory that two threads would take from each other.
__attribute__((noinline)) static void burn(int tenths) {
  uint64_t value = work_sink;
  for (uint64_t i = 0; i < loops * (uint64_t)tenths; i++) value = value * 6364136223846793005u + 1442695040888963407u;
  work_sink = value;
}

static void calibrate(void) {
  double start = cpu_of(CLOCK_THREAD_CPUTIME_ID), end;
  for (loops = 1000000; ; loops *= 2) { // ends before a first tick can come
    double before = cpu_of(CLOCK_THREAD_CPUTIME_ID);
    burn(1);
    end = cpu_of(CLOCK_THREAD_CPUTIME_ID);
    if (end - before > 0.001 || end - start > 0.002) {
      loops = (uint64_t)((double)loops * 0.1 / (end - before));
      return;
    }
  }
}

static volatile sig_atomic_t trapped;

static void on_trap(int number) {
  (void)number;
  trapped++;
}

// What a loader and the C library need to begin and end a program, besides what this one itself does.
static const int base[] = {SYS_read, SYS_write, SYS_exit, SYS_exit_group, SYS_rt_sigreturn};
static const int threads_too[] = {SYS_futex, SYS_munmap, SYS_madvise, SYS_rt_sigprocmask, SYS_mprotect, SYS_mmap,
                                  SYS_clone, SYS_clone3, SYS_set_robust_list, SYS_rseq, SYS_sched_yield};
static const int images_too[] = {SYS_execve, SYS_brk, SYS_mmap, SYS_mprotect, SYS_munmap, SYS_openat, SYS_close, SYS_newfstatat, SYS_fstat, SYS_read, SYS_pread64,
#if defined(__x86_64__)
                                 SYS_access, SYS_arch_prctl,
#else
                                 SYS_faccessat,
#endif
                                 SYS_set_tid_address, SYS_set_robust_list, SYS_rseq, SYS_prlimit64, SYS_getrandom, SYS_futex, SYS_readlinkat};

struct program {
  struct sock_filter code[128];
  unsigned short size;
};

static void add(struct program *p, struct sock_filter statement) { p->code[p->size++] = statement; }

static void allow(struct program *p, const int *numbers, size_t count) {
  for (size_t i = 0; i < count; i++) {
    add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)numbers[i], 0, 1));
    add(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  }
}

static void make_filter(struct program *p, const char *how, const char *action) {
  uint32_t other = strcmp(action, "kill") == 0     ? SECCOMP_RET_KILL_PROCESS
                   : strcmp(action, "thread") == 0 ? SECCOMP_RET_KILL_THREAD
                   : strcmp(action, "trap") == 0   ? SECCOMP_RET_TRAP
                   : strcmp(action, "errno") == 0  ? SECCOMP_RET_ERRNO | EPERM
                   : strcmp(action, "zero") == 0   ? SECCOMP_RET_ERRNO
                                                   : SECCOMP_RET_ALLOW;
  p->size = 0;
  add(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)));
  add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0));
  add(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
  add(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
  allow(p, base, sizeof base / sizeof *base);
  if (strcmp(how, "tsync") == 0 || strcmp(how, "thread") == 0) allow(p, threads_too, sizeof threads_too / sizeof *threads_too);
  if (strcmp(how, "exec") == 0) allow(p, images_too, sizeof images_too / sizeof *images_too);
  add(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, other));
}

static int install(const char *how, const char *action) {
  if (strcmp(how, "strict") == 0) return prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
  if (strcmp(how, "counter") == 0) return prctl(PR_SET_TSC, PR_TSC_SIGSEGV);
  struct program p;
  make_filter(&p, how, action);
  struct sock_fprog filter = {.len = p.size, .filter = p.code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  if (strcmp(how, "prctl") == 0) return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
  return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, strcmp(how, "tsync") == 0 ? SECCOMP_FILTER_FLAG_TSYNC : 0, &filter);
}

static void say(const char *text) {
  if (write(1, text, strlen(text)) < 0) _exit(9);
}

static volatile bool done, has_own;
static const char *thread_action;

static void *burner(void *unused) {
  while (!done) burn(1);
  return unused;
}

// A thread with a filter of its own, which lives on to the end if it `stays`.
static void *sandboxed(void *stays) {
  if (install("thread", thread_action) != 0) say("not installed\n");
  has_own = true;
  burn(3);
  while (stays != NULL && !done) burn(1);
  return NULL;
}

int main(int argc, char **argv) {
  if (argc < 4) {
    if (argc < 2) return 64;
    if (argc > 2) { // with clocks that are system calls
      calibrate();
      burn(2);
    }
    return write(1, "in the next image\n", 18) == 18 ? 3 : 1;
  }
  const char *how = argv[1], *action = argv[2];
  calibrate();
  signal(SIGSYS, on_trap);
  pthread_t threads[2];
  bool counter = strcmp(how, "counter") == 0, differs = strcmp(how, "differs") == 0;
  bool several = counter || differs || strcmp(how, "tsync") == 0 || strcmp(how, "thread") == 0;
  if (several) pthread_create(&threads[0], NULL, burner, NULL);
  if (strcmp(argv[3], "after") == 0) work(0.1);
  thread_action = action;
  if (strcmp(how, "thread") == 0) {
    pthread_create(&threads[1], NULL, sandboxed, NULL);
    pthread_join(threads[1], NULL);
  } else if (differs) {
    pthread_create(&threads[1], NULL, sandboxed, threads);
    while (!has_own) burn(1);
    if (install("tsync", action) <= 0) say("installed after all\n");
    burn(3);
    done = true;
    pthread_join(threads[1], NULL);
  } else if (install(how, action) != 0) {
    say("not installed\n");
  }
  say("installed\n");
  burn(3);
  if (counter || strcmp(how, "tsync") == 0) { // and a new thread under it
    pthread_create(&threads[1], NULL, (void *(*)(void *))(void (*)(void))burn, (void *)2);
    pthread_join(threads[1], NULL);
  }
  done = true;
  if (several) pthread_join(threads[0], NULL);
  char text[40];
  snprintf(text, sizeof text, "trapped %d\n", (int)trapped);
  say(text);
  if (counter || strcmp(how, "exec") == 0) {
    char *words[] = {argv[0], (char *)"next", counter ? (char *)"burn" : NULL, NULL};
    execv(argv[0], words);
    say("no exec\n");
  }
  if (strcmp(how, "strict") == 0) syscall(SYS_exit, 7);
  if (argc > 4 && strcmp(argv[4], "exit") == 0) exit(7);
  _exit(7);
}
