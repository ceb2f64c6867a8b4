// slow_open SECONDS PROGRAM WORDS...: a file that the program makes (O_EXCL) takes so long to come, as on a disk that others keep busy. The
// program's calls wait for a process that looks on, by a filter that the agent cannot see: it is installed without the C library.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
static long bare_seccomp(long operation, long flags, const void *filter) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(SYS_seccomp), "D"(operation), "S"(flags), "d"(filter) : "rcx", "r11", "memory");
  return result;
}
#else
static long bare_seccomp(long operation, long flags, const void *filter) {
  register long number __asm__("x8") = SYS_seccomp, a __asm__("x0") = operation, b __asm__("x1") = flags;
  register const void *c __asm__("x2") = filter;
  __asm__ volatile("svc 0" : "+r"(a) : "r"(number), "r"(b), "r"(c) : "memory");
  return a;
}
#endif

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
  int listener = (int)bare_seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &filter);
  if (listener < 0 || write(ready[1], &listener, sizeof listener) != sizeof listener) return 66;
  execv(argv[2], argv + 2);
  return 67;
}
