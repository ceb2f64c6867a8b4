// slow_open SECONDS PROGRAM WORDS...: a file that the program makes (O_EXCL) takes so long to come, as on a disk that others keep busy. The
// program's calls wait for a process that looks on, by a filter that the agent cannot see: it is installed without the C library.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// A system call without the C library.
static long bare(long number, long a, long b, const void *c, long d) {
#if defined(__x86_64__)
  register long fourth __asm__("r10") = d;
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth) : "rcx", "r11", "memory");
  return result;
#else
  register long call __asm__("x8") = number, first __asm__("x0") = a, second __asm__("x1") = b, fourth __asm__("x3") = d;
  register const void *third __asm__("x2") = c;
  __asm__ volatile("svc 0" : "+r"(first) : "r"(call), "r"(second), "r"(third), "r"(fourth) : "memory");
  return first;
#endif
}

// A tick in here, before the other process knows what to look on, would wait for ever.
static void let_ticks(bool come) {
  const uint64_t profile = 1ull << (SIGPROF - 1);
  bare(SYS_rt_sigprocmask, come ? SIG_UNBLOCK : SIG_BLOCK, (long)&profile, NULL, sizeof profile);
}

static int ready[2];
static double seconds;

// Shares the descriptors of the one that will be the program, up to its exec.
static int look_on(void *unused) {
  int listener;
  (void)unused;
  if (read(ready[0], &listener, sizeof listener) != sizeof listener) return 1;
  for (;;) {
    struct pollfd event = {.fd = listener, .events = POLLIN};
    struct seccomp_notif call = {0};
    struct seccomp_notif_resp answer = {.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    if (poll(&event, 1, -1) < 0 || !(event.revents & POLLIN)) return 0; // the program has ended
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) continue;
    usleep((useconds_t)(seconds * 1e6));
    answer.id = call.id;
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
  }
}

int main(int argc, char **argv) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_EXCL, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog filter = {sizeof code / sizeof *code, code};
  if (argc < 3 || pipe2(ready, O_CLOEXEC) != 0) return 64;
  seconds = atof(argv[1]);
  static char stack[65536] __attribute__((aligned(64)));
  if (clone(look_on, stack + sizeof stack, CLONE_FILES, NULL) < 0) return 65;
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  let_ticks(false);
  int listener = (int)bare(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &filter, 0);
  if (listener < 0 || write(ready[1], &listener, sizeof listener) != sizeof listener) return 66;
  let_ticks(true);
  execv(argv[2], argv + 2);
  return 67;
}
