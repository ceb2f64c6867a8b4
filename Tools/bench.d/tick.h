// Ticks of the library's that a benchmark sends. They are told from other signals by the address that its timers carry, which the
// kernel shows.
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

// Its sender gives it the library's address; without one it is any other SIGPROF.
static siginfo_t tick = {.si_signo = SIGPROF, .si_code = SI_TIMER};

// That address in a process that has the library; NULL: it has no such timer.
static inline void *tick_cookie(pid_t pid) {
  char path[64], line[256];
  unsigned long long value;
  void *cookie = NULL;
  int number;
  snprintf(path, sizeof path, "/proc/%d/timers", pid);
  FILE *timers = fopen(path, "r");
  while (timers != NULL && cookie == NULL && fgets(line, sizeof line, timers) != NULL)
    if (sscanf(line, "signal: %d/%llx", &number, &value) == 2 && number == SIGPROF) cookie = (void *)value;
  if (timers != NULL) fclose(timers);
  return cookie;
}

static inline double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

// A handler that reads the thread's CPU clock and does nothing more.
static inline void read_clock(int number, siginfo_t *info, void *context) {
  struct timespec t;
  (void)number, (void)info, (void)context;
  syscall(SYS_clock_gettime, CLOCK_THREAD_CPUTIME_ID, &t);
}

// Makes `tick` one of the library's; without the library that handler is what it meets.
static inline void tick_begin(void) {
  struct sigaction action = {.sa_sigaction = read_clock, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
  tick.si_value.sival_ptr = tick_cookie(getpid());
  if (tick.si_value.sival_ptr == NULL) sigaction(SIGPROF, &action, NULL);
}
