// limits WHAT [VALUE]: lowers a limit of its own, uses CPU time, and prints what it sees of it.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "variety.h"

static volatile sig_atomic_t signals[65];

static void count(int number) { signals[number]++; }

static int limit(int what, rlim_t value) {
  struct rlimit l;
  if (getrlimit(what, &l) != 0) return -1;
  l.rlim_cur = value;
  return setrlimit(what, &l);
}

static void *burn(void *unused) {
  vary(0.1);
  return unused;
}

// Threads that work; how many could be made.
static void threads(int wanted) {
  pthread_t ids[64];
  int made = 0;
  while (made < wanted && pthread_create(&ids[made], NULL, burn, NULL) == 0) made++;
  for (int i = 0; i < made; i++) pthread_join(ids[i], NULL);
  printf("threads: %d\n", made);
}

// Works below so many frames.
__attribute__((noinline)) static int below(int frames, double seconds) {
  if (frames == 0) work(seconds);
  int result = frames > 0 ? below(frames - 1, seconds) : 0;
  __asm__ volatile("" : "+r"(result)); // no jump in place of the call
  return result + 1;
}

// The next descriptors, until there are no more.
static void descriptors(void) {
  int count = 0, last = -1, fd;
  while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0) last = fd, count++;
  printf("%d opened, the last %d, then %s\n", count, last, strerror(errno));
  for (int i = 3; i <= last; i++) close(i);
}

static void file(void) {
  int fd = open("own", O_RDWR | O_CREAT | O_TRUNC, 0600), written = 0;
  char block[512] = {0};
  while (fd >= 0 && written < 20 * 512) {
    ssize_t size = write(fd, block, sizeof block);
    if (size <= 0) break;
    written += (int)size;
  }
  printf("%d bytes written, then %s\n", written, strerror(errno));
}

// How much can be mapped, in steps of 64 MiB.
static int mappable(void) {
  void *parts[64];
  int count = 0;
  while (count < 64 && (parts[count] = mmap(NULL, 64 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) != MAP_FAILED) count++;
  for (int i = 0; i < count; i++) munmap(parts[i], 64 << 20);
  return count;
}

// How many timers can be made.
static int timers(int most) {
  timer_t ids[256];
  int made = 0;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  while (made < most && timer_create(CLOCK_MONOTONIC, &event, &ids[made]) == 0) made++;
  for (int i = 0; i < made; i++) timer_delete(ids[i]);
  return made;
}

// Uses much of a small stack.
__attribute__((noinline)) static int deep(int depth) {
  volatile char block[1024];
  block[0] = (char)depth;
  for (int i = 0; i < 20000; i++) work_sink += (unsigned)i;
  return depth == 0 ? 0 : deep(depth - 1) + block[0] * 0 + 1;
}

int main(int argc, char **argv) {
  if (argc < 2) return 64;
  const char *what = argv[1];
  long value = argc > 2 ? atol(argv[2]) : 0;
  for (int i = 1; i < 32; i++)
    if (i != SIGPROF && i != SIGSEGV && i != SIGBUS && i != SIGKILL && i != SIGSTOP && i != SIGALRM && i != SIGXCPU) signal(i, count);
  if (strcmp(what, "nofile") == 0) {
    limit(RLIMIT_NOFILE, (rlim_t)value);
    vary(0.2);
    threads(3);
    descriptors();
  } else if (strcmp(what, "fsize") == 0) {
    limit(RLIMIT_FSIZE, (rlim_t)value);
    vary(0.3);
    file();
    vary(0.1);
  } else if (strcmp(what, "default fsize") == 0) { // the signal would end it
    signal(SIGXFSZ, SIG_DFL);
    limit(RLIMIT_FSIZE, (rlim_t)value);
    vary(0.4);
    threads(3);
  } else if (strcmp(what, "as") == 0) {
    limit(RLIMIT_AS, (rlim_t)value << 20);
    vary(0.2);
    printf("64 MiB mapped: %s\n", mappable() > 0 ? "yes" : "no");
    threads(2);
  } else if (strcmp(what, "deep") == 0) { // there is no memory for what deep stacks need, once the first ticks have had theirs
    int frames = below(3000, 0) + below(10, 0.03);
    limit(RLIMIT_AS, 1 << 20);
    for (int i = 0; i < 30; i++) frames += below(i % 2 == 0 ? 300 : 300 + 24 * i, 0.02); // from one place: the stack before is a part of it
    printf("%d frames\n", frames);
  } else if (strcmp(what, "sigpending") == 0) {
    limit(RLIMIT_SIGPENDING, (rlim_t)value);
    vary(0.2);
    threads(3);
    printf("timers: %s\n", timers(1) == 1 ? "yes" : "no");
  } else if (strcmp(what, "mlock") == 0) {
    limit(RLIMIT_MEMLOCK, (rlim_t)value << 10);
    int result = mlockall(MCL_CURRENT | MCL_FUTURE);
    printf("mlockall: %s\n", result == 0 ? "yes" : strerror(errno));
    vary(0.2);
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("a page: %s\n", page != MAP_FAILED ? "yes" : strerror(errno));
    munlockall();
    threads(2);
  } else if (strcmp(what, "cpu") == 0) { // SIGXCPU, when a second is used
    limit(RLIMIT_CPU, 1);
    if (value != 0) signal(SIGXCPU, count);
    while (signals[SIGXCPU] == 0) vary(0.01);
    printf("cpu: %.1f\n", cpu_of(CLOCK_PROCESS_CPUTIME_ID) < 1.3 ? 1.0 : 2.0);
  } else if (strcmp(what, "stack") == 0) { // started under it
    printf("deep: %d\n", deep((int)value));
    threads(2);
  } else if (strcmp(what, "nproc") == 0) {
    limit(RLIMIT_NPROC, (rlim_t)value);
    vary(0.2);
    threads(3);
    pid_t child = fork();
    if (child == 0) _exit(0);
    printf("fork: %s\n", child > 0 ? "yes" : strerror(errno));
    while (child > 0 && waitpid(child, NULL, 0) < 0) continue;
  } else {
    return 64;
  }
  for (int i = 1; i < 65; i++)
    if (signals[i]) printf("signal %d: %d\n", i, (int)signals[i]);
  return 3;
}
