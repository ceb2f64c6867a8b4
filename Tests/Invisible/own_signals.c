// own_signals HOW: a program that has a use of its own for SIGPROF and its timers, and says what it sees of them. Each fact is one that
// does not depend on when ticks come.
#define _GNU_SOURCE
#include "signal_words.h"

// An own timer and an own handler.
static void part_handler(void) {
  struct itimerval left, none = {{0, 0}, {0, 0}}, unset;
  getitimer(ITIMER_PROF, &unset);
  handle_info(SI_KERNEL, 0);
  own_itimer(10000);
  work(0.5);
  getitimer(ITIMER_PROF, &left);
  setitimer(ITIMER_PROF, &none, NULL);
  int seen = ticks;
  work(0.1);
  printf("unset %d, interval %ld, ticks %s, after the end %d, foreign %d\n", unset.it_value.tv_usec == 0 && unset.it_interval.tv_usec == 0,
         (long)left.it_interval.tv_usec, about(seen, 50), ticks - seen, foreign);
}

// Ignored: what is sent has no effect. (A poll that sleeps while another process sends is interrupted: a limit.)
static void part_ignored(void) {
  signal(SIGPROF, SIG_IGN);
  own_itimer(5000);
  work(0.1);
  for (int i = 0; i < 10; i++) raise(SIGPROF), kill(getpid(), SIGPROF);
  struct pollfd none = {.fd = -1};
  int interrupted = 0;
  for (int i = 0; i < 20; i++) interrupted += poll(&none, 1, 2) < 0;
  printf("polls interrupted %d, pending %d\n", interrupted, is_pending());
}

static void die_raise(void) { raise(SIGPROF); }
static void die_kill(void) { kill(getpid(), SIGPROF); }
static void die_timer(void) { own_itimer(5000), work(0.2); }
static void die_default(void) { signal(SIGPROF, on_signal), raise(SIGPROF), signal(SIGPROF, SIG_DFL), raise(SIGPROF); }
static void die_unblocked(void) { change(SIG_BLOCK, SIGPROF), raise(SIGPROF), work(0.02), printf("alive\n"), fflush(stdout), change(SIG_UNBLOCK, SIGPROF); }
static void part_default(void) {
  in_child("raise", die_raise);
  in_child("kill", die_kill);
  in_child("timer", die_timer);
  in_child("default again", die_default);
  in_child("unblocked", die_unblocked);
}

// Taken by a descriptor, while a thread that has it blocked too uses CPU time and another sleeps.
static void *poll_thread(void *interrupted) {
  while (!stop) *(int *)interrupted += poll(NULL, 0, 5) < 0;
  return NULL;
}

static void part_signalfd(void) {
  change(SIG_BLOCK, SIGPROF);
  sigset_t set = only(SIGPROF);
  int fd = signalfd(-1, &set, SFD_CLOEXEC), seen = 0, interrupted = 0, sleeper_interrupted = 0;
  pthread_t burner, sleeper;
  pthread_create(&burner, NULL, burn_on, &fd);
  pthread_create(&sleeper, NULL, poll_thread, &sleeper_interrupted);
  own_itimer(10000);
  struct timespec start, now;
  clock_gettime(CLOCK_MONOTONIC, &start);
  do {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int ready = poll(&p, 1, 20);
    interrupted += ready < 0;
    struct signalfd_siginfo info;
    if (ready > 0 && read(fd, &info, sizeof info) == sizeof info) {
      if ((int)info.ssi_signo != SIGPROF || info.ssi_code != SI_KERNEL) foreign++;
      else seen++;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
  } while (seen < 10 && now.tv_sec - start.tv_sec < 5);
  own_itimer(0);
  stop = 1;
  pthread_join(burner, NULL);
  pthread_join(sleeper, NULL);
  printf("seen %d, foreign %d, interrupted %d and %d\n", seen, foreign, interrupted, sleeper_interrupted);
}

// Waited for.
static void part_wait(void) {
  change(SIG_BLOCK, SIGPROF);
  sigset_t set = only(SIGPROF);
  int interrupted = 0, wrong = 0, early = 0;
  pthread_t burner, sleeper;
  int sleeper_interrupted = 0;
  pthread_create(&sleeper, NULL, poll_thread, &sleeper_interrupted);
  pthread_create(&burner, NULL, burn_on, &set);
  struct timespec short_time = {0, 2000000};
  for (int i = 0; i < 100; i++) {
    int got = sigtimedwait(&set, NULL, &short_time);
    if (got >= 0) early++;
    else if (errno != EAGAIN) interrupted++;
  }
  own_itimer(8000);
  for (int i = 0; i < 12; i++) {
    siginfo_t info;
    int number = 0;
    if (i % 3 == 0) {
      wrong += sigwait(&set, &number) != 0 || number != SIGPROF;
      continue;
    }
    while ((number = i % 3 == 1 ? sigwaitinfo(&set, &info) : sigtimedwait(&set, &info, &(struct timespec){5, 0})) < 0 && errno == EINTR) interrupted++;
    wrong += number != SIGPROF || info.si_code != SI_KERNEL;
  }
  own_itimer(0);
  stop = 1;
  pthread_join(burner, NULL);
  pthread_join(sleeper, NULL);
  sigtimedwait(&set, NULL, &short_time);
  printf("early %d, interrupted %d and %d, wrong %d, pending %d\n", early, interrupted, sleeper_interrupted, wrong, is_pending());
}

// Every signal is blocked, as in a daemon whose first thread waits for all of them; the thread uses CPU time between.
static void part_wait_all(void) {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, NULL);
  pthread_t burner;
  pthread_create(&burner, NULL, burn_on, NULL);
  int taken = 0, pending = 0;
  for (int i = 0; i < 150; i++) {
    work(0.001);
    sigset_t now;
    sigpending(&now);
    for (int n = 1; n < _NSIG; n++) pending += sigismember(&now, n) == 1;
    taken += sigtimedwait(&all, NULL, &(struct timespec){0, 500000}) > 0;
  }
  int fd = signalfd(-1, &all, SFD_NONBLOCK | SFD_CLOEXEC), readable = 0;
  for (int i = 0; i < 50; i++) {
    work(0.001);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    readable += poll(&p, 1, 1) > 0;
  }
  stop = 1;
  pthread_join(burner, NULL);
  printf("taken %d, pending %d, readable %d\n", taken, pending, readable);
}

// A POSIX timer of its own that sends SIGPROF.
static void part_timer(void) {
  handle_info(SI_TIMER, 77);
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGPROF, .sigev_value.sival_int = 77};
  timer_t timer;
  struct itimerspec often = {{0, 10000000}, {0, 10000000}};
  printf("made %d\n", timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer));
  timer_settime(timer, 0, &often, NULL);
  work(0.4);
  timer_delete(timer);
  int seen = ticks;
  work(0.05);
  printf("ticks %s, after the end %d, foreign %d, other value %d\n", about(seen, 40), ticks - seen, foreign, other_value);
}

// Signals that it sends itself, each with what comes with it.
static int codes[16], values[16], from_self[16], count;
static void on_any(int number, siginfo_t *info, void *context) {
  (void)number, (void)context;
  if (count >= 16) return;
  codes[count] = info->si_code, values[count] = info->si_code == SI_QUEUE ? info->si_value.sival_int : 0;
  from_self[count++] = info->si_pid == getpid();
}

static void part_sent(void) {
  struct sigaction action = {.sa_sigaction = on_any, .sa_flags = SA_SIGINFO};
  sigaction(SIGPROF, &action, NULL);
  for (int blocked = 0; blocked < 2; blocked++) {
    if (blocked) change(SIG_BLOCK, SIGPROF);
    for (int i = 0; i < 6; i++) {
      if (i == 0) raise(SIGPROF);
      if (i == 1) kill(getpid(), SIGPROF);
      if (i == 2) syscall(SYS_tgkill, getpid(), gettid(), SIGPROF);
      if (i == 3) pthread_kill(pthread_self(), SIGPROF);
      if (i == 4) sigqueue(getpid(), SIGPROF, (union sigval){.sival_int = 1234});
      if (i == 5) pthread_sigqueue(pthread_self(), SIGPROF, (union sigval){.sival_int = 4321});
      if (!blocked) continue;
      work(0.01);
      printf("pending %d\n", is_pending());
      change(SIG_UNBLOCK, SIGPROF);
      change(SIG_BLOCK, SIGPROF);
    }
  }
  for (int i = 0; i < count; i++) printf("code %d, value %d, own %d\n", codes[i], values[i], from_self[i]);
}

// A handler that jumps out, again and again, of its own SIGPROF and of SIGALRM.
static volatile int jumps;
static sigjmp_buf storm;
static void on_storm(int number) {
  jumps++;
  (void)number;
  siglongjmp(storm, 1);
}
static void part_jumps(void) {
  struct sigaction action = {.sa_handler = on_storm};
  struct itimerval often = {{0, 300}, {0, 300}}, none = {{0, 0}, {0, 0}};
  sigaction(SIGALRM, &action, NULL);
  sigaction(SIGPROF, &action, NULL);
  for (volatile int how = 0; how < 2; how++) {
    jumps = 0;
    sigsetjmp(storm, 1);
    if (jumps == 0) setitimer(how == 0 ? ITIMER_REAL : ITIMER_PROF, &often, NULL);
    while (jumps < (how == 0 ? 800 : 60)) work(0.0005);
    setitimer(how == 0 ? ITIMER_REAL : ITIMER_PROF, &none, NULL);
    printf("jumped %d, blocked %d, pending %d\n", jumps >= 60, is_blocked(), is_pending());
  }
}

// Other clocks of its own.
static volatile int reals, virtuals, cpus;
static void on_real(int number) { (void)number, reals++; }
static void on_virtual(int number) { (void)number, virtuals++; }
static void on_cpu(int number) { (void)number, cpus++; }
static void part_clocks(void) {
  signal(SIGALRM, on_real), signal(SIGVTALRM, on_virtual), signal(SIGUSR1, on_cpu);
  struct itimerval often = {{0, 20000}, {0, 20000}}, none = {{0, 0}, {0, 0}};
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  struct itimerspec cpu_often = {{0, 20000000}, {0, 20000000}};
  timer_t timer;
  alarm(100);
  printf("alarm left %u\n", alarm(0));
  timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer);
  timer_settime(timer, 0, &cpu_often, NULL);
  setitimer(ITIMER_VIRTUAL, &often, NULL);
  work(0.4);
  timer_delete(timer);
  setitimer(ITIMER_VIRTUAL, &none, NULL);
  struct rusage used; // the rest of the 0.4 s was the kernel's: clocks read, and ticks
  getrusage(RUSAGE_SELF, &used);
  double user = (double)used.ru_utime.tv_sec + (double)used.ru_utime.tv_usec * 1e-6;
  setitimer(ITIMER_REAL, &often, NULL);
  for (struct timespec t = {0, 300000000}; nanosleep(&t, &t) != 0;) {}
  setitimer(ITIMER_REAL, &none, NULL);
  printf("virtual %s, process CPU %s, real %s\n", about(virtuals, user / 0.02), about(cpus, 20), about(reals, 15));
}

// Many signals from without while it works.
static void part_storm(void) {
  handle_info(SI_USER, 0);
  expected_value = 0;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    for (int i = 0; i < 20000; i++) kill(getppid(), SIGPROF);
    _exit(0);
  }
  int status;
  pid_t got;
  while ((got = waitpid(child, &status, WNOHANG)) == 0) work(0.002);
  printf("foreign %d, some %d, status %d\n", foreign, ticks + other_value > 0, status);
}

int main(int argc, char **argv) {
  static const struct part parts[] = {{"handler", part_handler},
                            {"ignored", part_ignored},
                            {"default", part_default},
                            {"signalfd", part_signalfd},
                            {"wait", part_wait},
                            {"wait-all", part_wait_all},
                            {"timer", part_timer},
                            {"sent", part_sent},
                            {"jumps", part_jumps},
                            {"clocks", part_clocks},
                            {"storm", part_storm}};
  return argc > 1 ? run_part(parts, sizeof parts / sizeof *parts, argv[1]) : 64;
}
