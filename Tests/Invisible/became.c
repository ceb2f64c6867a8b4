// became [SECONDS]: what another program becomes. Uses CPU time, and its status says what it was given: 1 signals are blocked, 2 one is pending,
// 4 SIGPROF is ignored, 8 ITIMER_PROF runs, 16 there are descriptors past 2, 32 the rights of root; 64 always.
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include "inherited.h"
#include "work.h"

int main(int argc, char **argv) {
  int found = 64;
  struct inherited state = find_inherited();
  for (int i = 1; i < 65; i++) {
    if (sigismember(&state.blocked, i) == 1) found |= 1;
    if (sigismember(&state.pending, i) == 1) found |= 2;
  }
  if (state.action.sa_handler == SIG_IGN) found |= 4;
  if (state.timer) found |= 8;
  for (int i = 3; i < 64; i++)
    if (fcntl(i, F_GETFD) != -1) found |= 16;
  if (geteuid() == 0) found |= 32;
  work(argc > 1 ? atof(argv[1]) : 0.01);
  return found;
}
