// storm HZ LIBRARY PROGRAM ARGUMENT...: runs a program with the library and sends each of its threads HZ ticks a second from outside,
// whatever the kernel's own tick is. Its last line on stderr says how many were sent, and at which rate.
#define _GNU_SOURCE
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tick.h"

#define THREADS_MAX 1024
#define LOOK_EVERY 0.01 // seconds, for new threads and the program's end

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void sleep_until(double time) {
  double left = time - now();
  struct timespec t = {.tv_nsec = (long)(left * 1e9)};
  if (left > 0 && left < 1) nanosleep(&t, NULL);
}

static int list_threads(pid_t pid, pid_t *threads) {
  char path[64];
  int count = 0;
  snprintf(path, sizeof path, "/proc/%d/task", pid);
  DIR *folder = opendir(path);
  for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;)
    if (entry->d_name[0] != '.' && count < THREADS_MAX) threads[count++] = atoi(entry->d_name);
  if (folder != NULL) closedir(folder);
  return count;
}

int main(int argc, char **argv) {
  if (argc < 4) return 64;
  double hertz = atof(argv[1]);
  pid_t pid = fork(), threads[THREADS_MAX];
  if (pid == 0) {
    setenv("LD_PRELOAD", argv[2], 1);
    execvp(argv[3], argv + 3);
    _exit(127);
  }
  prctl(PR_SET_TIMERSLACK, 1000);
  setpriority(PRIO_PROCESS, 0, -19); // the threads that it sends to want the processors too
  int status, count = 0;
  long sent = 0, rounds = 0;
  double begin = now(), next = begin, look = begin;
  for (;; rounds++) {
    if (now() >= look) {
      look = now() + LOOK_EVERY;
      if (waitpid(pid, &status, WNOHANG) == pid) break;
      if (tick.si_value.sival_ptr == NULL) tick.si_value.sival_ptr = tick_cookie(pid);
      count = tick.si_value.sival_ptr == NULL ? 0 : list_threads(pid, threads);
    }
    for (int i = 0; i < count; i++) sent += syscall(SYS_rt_tgsigqueueinfo, pid, threads[i], SIGPROF, &tick) == 0;
    next += 1 / hertz;
    if (next < now()) next = now();
    sleep_until(next);
  }
  fprintf(stderr, "storm: %ld sent, %.0f a second and thread\n", sent, (double)rounds / (now() - begin));
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
