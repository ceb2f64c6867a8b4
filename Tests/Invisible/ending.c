// ending exit|signal NUMBER: uses CPU time, says what it was given, and ends by that status or signal.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "work.h"

int main(int argc, char **argv) {
  if (argc != 3) return 64;
  sigset_t blocked;
  struct itimerval timer;
  sigprocmask(SIG_BLOCK, NULL, &blocked);
  getitimer(ITIMER_PROF, &timer);
  printf("user %d, rights of %d, input %d, timer %ld, blocked", (int)getuid(), (int)geteuid(), fcntl(0, F_GETFL), (long)timer.it_value.tv_usec);
  for (int i = 1; i < 32; i++)
    if (sigismember(&blocked, i) == 1) printf(" %d", i);
  printf(", ignored");
  for (int i = 1; i < 32; i++) {
    struct sigaction action;
    if (i != SIGKILL && i != SIGSTOP && sigaction(i, NULL, &action) == 0 && action.sa_handler == SIG_IGN) printf(" %d", i);
  }
  printf(", descriptors");
  for (int i = 0; i < 64; i++)
    if (fcntl(i, F_GETFD) != -1) printf(" %d", i);
  printf("\n");
  fflush(stdout);
  fprintf(stderr, "to stderr\n");
  work(0.1);
  if (strcmp(argv[1], "signal") == 0) raise(atoi(argv[2]));
  return atoi(argv[2]);
}
