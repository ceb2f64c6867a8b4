// signal_masks HOW: dispositions and masks of SIGPROF asked for in every way, calls that wait under a mask, and what exec, fork and threads pass on.
#define _GNU_SOURCE
#include "signal_words.h"

// Every way to ask for a disposition, asked back by two.
static void once_more(void) { raise(SIGPROF), work(0.005), raise(SIGPROF); }
static void way_signal(void) { signal(SIGPROF, on_signal), once_more(), tell("signal"); }
static void way_bsd(void) { extern __typeof(signal) bsd_signal; bsd_signal(SIGPROF, on_signal), once_more(), tell("bsd_signal"); }
static void way_sysv(void) { sysv_signal(SIGPROF, on_signal), raise(SIGPROF), tell("sysv_signal"), fflush(stdout), raise(SIGPROF); }
static void way_sigset(void) { sigset(SIGPROF, on_signal), once_more(), tell("sigset"), sigset(SIGPROF, SIG_HOLD), raise(SIGPROF), printf("held %d, blocked %d\n", is_pending(), is_blocked()), sigset(SIGPROF, on_signal), tell("sigset again"); }
static void way_sighold(void) { signal(SIGPROF, on_signal), sighold(SIGPROF), raise(SIGPROF), work(0.01), tell("sighold"), printf("held %d\n", is_pending()), sigrelse(SIGPROF), tell("sigrelse"); }
static void way_sigignore(void) { sigignore(SIGPROF), once_more(), tell("sigignore"); }
static void way_siginterrupt(void) { signal(SIGPROF, on_signal), siginterrupt(SIGPROF, 1), tell("siginterrupt"), siginterrupt(SIGPROF, 0), tell("siginterrupt 0"); }
static void way_sigblock(void) { signal(SIGPROF, on_signal), printf("before %x\n", (unsigned)sigblock(1 << (SIGPROF - 1))), raise(SIGPROF), work(0.01), printf("now %x, calls %d\n", (unsigned)sigsetmask(0), calls); }
static void way_flags(void) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)(SA_RESETHAND | SA_NODEFER | SA_ONSTACK | SA_RESTART)};
  sigaddset(&action.sa_mask, SIGUSR1);
  sigaction(SIGPROF, &action, NULL);
  tell("all flags");
  raise(SIGPROF);
  tell("after one");
}
static void way_wrong(void) {
  struct sigaction action = {.sa_handler = on_signal};
  int bad = sigaction(65, &action, NULL), kill_too = sigaction(SIGKILL, &action, NULL);
  printf("%d %d %d %d\n", bad, kill_too, signal(SIGPROF, SIG_ERR) == SIG_ERR, errno);
  printf("%d %d\n", sigprocmask(77, &action.sa_mask, NULL), errno);
}
static void part_ways(void) {
  in_child("signal", way_signal);
  in_child("bsd_signal", way_bsd);
  in_child("sysv_signal", way_sysv);
  in_child("sigset", way_sigset);
  in_child("sighold", way_sighold);
  in_child("sigignore", way_sigignore);
  in_child("siginterrupt", way_siginterrupt);
  in_child("sigblock", way_sigblock);
  in_child("flags", way_flags);
  in_child("wrong", way_wrong);
}

// Calls that admit SIGPROF while they wait, or keep it out.
static void part_admits(void) {
  handle(on_signal, SA_RESTART);
  sigset_t with, without;
  sigemptyset(&without);
  with = only(SIGPROF);
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event;
  struct timespec brief = {0, 300000000}, longer = {2, 0};
  for (int how = 0; how < 4; how++) {
    static const char *const names[] = {"sigsuspend", "ppoll", "pselect", "epoll_pwait"};
    change(SIG_BLOCK, SIGPROF);
    calls = 0;
    pid_t child = sender(1);
    int result = how == 0   ? sigsuspend(&without)
                 : how == 1 ? ppoll(NULL, 0, &longer, &without)
                 : how == 2 ? pselect(0, NULL, NULL, NULL, &longer, &without)
                            : epoll_pwait(epoll, &event, 1, 2000, &without);
    int error = errno;
    printf("%s admits it: %d, interrupted %d, calls %d, blocked again %d\n", names[how], result, error == EINTR, calls, is_blocked());
    reap(child);
    change(SIG_UNBLOCK, SIGPROF);
    if (how == 0) continue;
    calls = 0;
    child = sender(1);
    result = how == 1   ? ppoll(NULL, 0, &brief, &with)
             : how == 2 ? pselect(0, NULL, NULL, NULL, &brief, &with)
                        : epoll_pwait(epoll, &event, 1, 300, &with);
    printf("%s keeps it out: %d, calls after it %d, blocked %d\n", names[how], result, calls, is_blocked());
    reap(child);
  }
  // A loop that takes one at a time, as daemons do.
  change(SIG_BLOCK, SIGPROF);
  calls = 0;
  pid_t child = sender(5);
  for (int i = 0; i < 5 && calls < 5; i++) {
    work(0.001);
    sigsuspend(&without);
    if (write(taken[1], "", 1) != 1) break;
  }
  reap(child);
  printf("one at a time: %d\n", calls);
}

// A call that blocks comes back, or does not, as the program's disposition says.
static void part_restart(void) {
  int ends[2];
  char byte;
  for (int how = 0; how < 4; how++) {
    if (pipe2(ends, O_CLOEXEC) != 0) return;
    calls = 0;
    if (how == 0) handle(on_signal, 0);
    if (how == 1) handle(on_signal, SA_RESTART);
    if (how == 2) signal(SIGPROF, on_signal), siginterrupt(SIGPROF, 1);
    if (how == 3) signal(SIGPROF, SIG_IGN);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
      usleep(50000);
      kill(getppid(), SIGPROF);
      usleep(100000);
      _exit(write(ends[1], "x", 1) != 1);
    }
    ssize_t got = read(ends[0], &byte, 1);
    printf("read: %zd, interrupted %d, calls %d\n", got, got < 0 && errno == EINTR, calls);
    reap(child);
    close(ends[0]), close(ends[1]);
  }
}

// What an exec passes on.
static const char *self;
static void part_after(void) {
  struct itimerval left;
  struct sigaction action;
  sigaction(SIGPROF, NULL, &action);
  getitimer(ITIMER_PROF, &left);
  printf("ignored %d, default %d, blocked %d, pending %d, interval %ld\n", action.sa_handler == SIG_IGN, action.sa_handler == SIG_DFL, is_blocked(),
         is_pending(), (long)left.it_interval.tv_usec);
  change(SIG_UNBLOCK, SIGPROF);
}
static void become(void) { execl("/proc/self/exe", self, "after", (char *)NULL); }
static void exec_ignored(void) { signal(SIGPROF, SIG_IGN), work(0.02), become(); }
static void exec_handled(void) { signal(SIGPROF, on_signal), work(0.02), become(); }
static void exec_blocked(void) { change(SIG_BLOCK, SIGPROF), work(0.02), become(); }
static void exec_pending(void) { change(SIG_BLOCK, SIGPROF), raise(SIGPROF), work(0.02), become(); }
static void exec_timer(void) {
  struct itimerval timer = {{3, 500}, {3, 0}};
  setitimer(ITIMER_PROF, &timer, NULL), work(0.02), become();
}
static void exec_timer_ignored(void) { signal(SIGPROF, SIG_IGN), own_itimer(4000), work(0.02), become(); }
static void exec_fails(void) {
  signal(SIGPROF, on_signal), change(SIG_BLOCK, SIGPROF), raise(SIGPROF), work(0.02);
  execl("/no/such", "x", (char *)NULL);
  printf("blocked %d, pending %d\n", is_blocked(), is_pending());
  change(SIG_UNBLOCK, SIGPROF);
  tell("failed exec");
}
static void part_exec(void) {
  in_child("ignored", exec_ignored);
  in_child("handled", exec_handled);
  in_child("blocked", exec_blocked);
  in_child("pending", exec_pending);
  in_child("timer", exec_timer);
  in_child("timer, ignored", exec_timer_ignored);
  in_child("failed", exec_fails);
}

// Inherited masks and signals that wait.
static void *told_mask(void *out) {
  *(int *)out = is_blocked();
  work(0.02);
  return NULL;
}
static void told_forked(void) { printf("in the child %d, pending %d\n", is_blocked(), is_pending()); }
static void part_inherited(void) {
  handle(on_signal, 0);
  for (int blocked = 0; blocked < 2; blocked++) {
    int seen = -1;
    pthread_t thread;
    change(blocked ? SIG_BLOCK : SIG_UNBLOCK, SIGPROF);
    if (blocked) raise(SIGPROF);
    pthread_create(&thread, NULL, told_mask, &seen);
    pthread_join(thread, NULL);
    pthread_attr_t attributes;
    sigset_t set = only(SIGPROF);
    int given = -1;
    pthread_attr_init(&attributes);
    pthread_attr_setsigmask_np(&attributes, &set);
    pthread_create(&thread, &attributes, told_mask, &given);
    pthread_join(thread, NULL);
    printf("blocked %d: thread %d, thread with a mask %d, pending %d\n", blocked, seen, given, is_pending());
    in_child("fork", told_forked);
  }
  change(SIG_UNBLOCK, SIGPROF);
  printf("calls %d\n", calls);
}

// Takes a signal that waits for the process, having used CPU time.
static void *taker(void *unused) {
  sigset_t set = only(SIGPROF);
  siginfo_t info;
  work(0.03);
  int got = sigwaitinfo(&set, &info);
  printf("a new thread took %d, code %d\n", got, info.si_code);
  return unused;
}

// Signals that wait while they are blocked. The kernel keeps one SIGPROF only: none may be lost to a tick.
static void part_waits(void) {
  int lost = 0;
  handle(on_signal, 0);
  for (int i = 0; i < 200000; i++) {
    calls = 0;
    change(SIG_BLOCK, SIGPROF);
    if (i % 2) raise(SIGPROF);
    else kill(getpid(), SIGPROF);
    int pending = is_pending(), early = calls;
    change(SIG_UNBLOCK, SIGPROF);
    lost += !pending || early || calls != 1;
  }
  printf("lost %d\n", lost);
  pthread_t thread;
  change(SIG_BLOCK, SIGPROF);
  kill(getpid(), SIGPROF);
  pthread_create(&thread, NULL, taker, NULL);
  pthread_join(thread, NULL);
}

// A thread that has SIGPROF blocked uses CPU time, and the first, which has not, sleeps in poll. Then all have it blocked.
static void part_sleeper(void) {
  for (int all = 0; all < 2; all++) {
    pthread_t burner;
    int interrupted = 0;
    stop = 0;
    if (all) change(SIG_BLOCK, SIGPROF);
    pthread_create(&burner, NULL, burn_on, &interrupted);
    for (int i = 0; i < 60; i++) interrupted += poll(NULL, 0, 5) < 0;
    stop = 1;
    pthread_join(burner, NULL);
    printf("blocked in all %d: interrupted %d, pending %d\n", all, interrupted, is_pending());
  }
}

int main(int argc, char **argv) {
  self = argv[0];
  static const struct part parts[] = {{"ways", part_ways},
                            {"admits", part_admits},
                            {"restart", part_restart},
                            {"exec", part_exec},
                            {"after", part_after},
                            {"inherited", part_inherited},
                            {"waits", part_waits},
                            {"sleeper", part_sleeper}};
  return argc > 1 ? run_part(parts, sizeof parts / sizeof *parts, argv[1]) : 64;
}
