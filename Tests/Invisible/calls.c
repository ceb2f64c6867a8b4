// calls GROUP: calls that wait, in a thread that uses CPU time between them, while two more burn. Prints for each how often it was
// interrupted (EINTR) and how often it ended before its time.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "work.h"

#define TIMES 40
#define MS 4

static volatile sig_atomic_t stop, handled, answered;
static int descriptor, other, queue;
static pthread_t first;
static const struct timespec brief = {0, MS * 1000000};

static void *burn(void *unused) {
  while (!stop) work(0.001);
  return unused;
}

static void on_signal(int number) { (void)number, handled = 1; }

static struct timespec deadline(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  t.tv_nsec += brief.tv_nsec;
  if (t.tv_nsec >= 1000000000) t.tv_sec++, t.tv_nsec -= 1000000000;
  return t;
}

// Each makes one call; 0: it ended as it should, or its errno.
static int after(int result) { return result == 0 ? 0 : errno; }
static int by_poll(void) { return after(poll(NULL, 0, MS)); }
static int by_ppoll(void) { return after(ppoll(NULL, 0, &brief, NULL)); }
static int by_select(void) {
  struct timeval t = {0, MS * 1000};
  return after(select(0, NULL, NULL, NULL, &t));
}
static int by_pselect(void) { return after(pselect(0, NULL, NULL, NULL, &brief, NULL)); }
static int by_epoll(void) {
  struct epoll_event event;
  return after(epoll_wait(descriptor, &event, 1, MS));
}
static int by_nanosleep(void) { return after(nanosleep(&brief, NULL)); }
static int by_clock(void) { return clock_nanosleep(CLOCK_MONOTONIC, 0, &brief, NULL); }
static int by_absolute(void) {
  struct timespec t = deadline(CLOCK_MONOTONIC);
  return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}
static int by_semaphore(void) {
  sem_t semaphore;
  struct timespec t = deadline(CLOCK_REALTIME);
  sem_init(&semaphore, 0, 0);
  return sem_timedwait(&semaphore, &t) == 0 ? -1 : errno == ETIMEDOUT ? 0 : errno;
}
static int by_condition(void) {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
  struct timespec t = deadline(CLOCK_REALTIME);
  pthread_mutex_lock(&mutex);
  int result = pthread_cond_timedwait(&condition, &mutex, &t);
  pthread_mutex_unlock(&mutex);
  return result == ETIMEDOUT ? 0 : result == 0 ? -1 : result;
}
static int by_sigtimedwait(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  return sigtimedwait(&set, NULL, &brief) >= 0 ? -1 : errno == EAGAIN ? 0 : errno;
}
static int by_recv(void) {
  char byte;
  return recv(descriptor, &byte, 1, 0) >= 0 ? -1 : errno == EAGAIN ? 0 : errno;
}
static int by_semtimedop(void) {
  struct sembuf down = {0, -1, 0};
  return semtimedop(queue, &down, 1, &brief) == 0 ? -1 : errno == EAGAIN ? 0 : errno;
}

// The same, ended by another thread after MS.
static void *in_time(void *act) {
  usleep(MS * 1000);
  ((void (*)(void))(uintptr_t)act)();
  return NULL;
}
static pthread_t later(void (*act)(void)) {
  pthread_t thread;
  pthread_create(&thread, NULL, in_time, (void *)(uintptr_t)act);
  return thread;
}
static int ended(pthread_t thread, int ok) {
  int error = ok ? 0 : errno;
  answered = 1;
  pthread_join(thread, NULL);
  return error;
}
static void do_write(void) { if (write(other, "x", 1) != 1) abort(); }
static int by_read(void) {
  char byte;
  pthread_t thread = later(do_write);
  return ended(thread, read(descriptor, &byte, 1) == 1);
}
static struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "\0statprof calls"};
static void do_connect(void) {
  other = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(other, (void *)&address, sizeof address) != 0) abort();
}
static int by_accept(void) {
  pthread_t thread = later(do_connect);
  int got = accept(descriptor, NULL, NULL), result = ended(thread, got >= 0);
  close(got), close(other);
  return result;
}
static void do_accept(void) { close(accept(descriptor, NULL, NULL)); }
static int by_connect(void) { // the queue of the listener is full
  do_connect();
  int mine = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  pthread_t thread = later(do_accept);
  int result = ended(thread, connect(mine, (void *)&address, sizeof address) == 0);
  close(other), close(mine);
  if (result == 0) do_accept();
  return result;
}
static void do_send(void) {
  struct { long type; } message = {1};
  if (msgsnd(queue, &message, 0, 0) != 0) abort();
}
static int by_msgrcv(void) {
  struct { long type; } message;
  pthread_t thread = later(do_send);
  return ended(thread, msgrcv(queue, &message, 0, 0, 0) == 0);
}
static void do_up(void) {
  struct sembuf up = {0, 1, 0};
  if (semop(queue, &up, 1) != 0) abort();
}
static int by_semop(void) {
  struct sembuf down = {0, -1, 0};
  pthread_t thread = later(do_up);
  return ended(thread, semop(queue, &down, 1) == 0);
}
static void do_unlock(void) { flock(other, LOCK_UN); }
static int by_flock(void) {
  flock(other, LOCK_EX);
  pthread_t thread = later(do_unlock);
  int result = ended(thread, flock(descriptor, LOCK_EX) == 0);
  flock(descriptor, LOCK_UN);
  return result;
}
static void do_signal(void) {
  for (answered = 0; !answered; usleep(1000)) pthread_kill(first, SIGUSR1);
}
static int by_pause(void) { // -1: nothing was handled
  handled = answered = 0;
  pthread_t thread = later(do_signal);
  pause();
  return ended(thread, 1) == 0 && handled ? 0 : -1;
}
static int by_wait4(void) {
  pid_t child = fork();
  if (child == 0) {
    nanosleep(&brief, NULL);
    _exit(0);
  }
  int result = wait4(child, NULL, 0, NULL) == child ? 0 : errno;
  if (result != 0) while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
  return result;
}

static void measure(const char *name, int (*call)(void)) {
  int interrupted = 0, early = 0, wrong = 0;
  for (int i = 0; i < TIMES; i++) {
    work(0.0007);
    double start = cpu_of(CLOCK_MONOTONIC);
    int error = call();
    double took = cpu_of(CLOCK_MONOTONIC) - start;
    interrupted += error == EINTR;
    wrong += error != 0 && error != EINTR;
    early += took < MS / 1000.0 - 0.0001;
  }
  printf("%s: interrupted %d, early %d, otherwise %d\n", name, interrupted, early, wrong);
}

static void listener(void) {
  snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "statprof calls %d", getpid());
  descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(descriptor, (void *)&address, sizeof address) != 0 || listen(descriptor, 0) != 0) abort();
}

int main(int argc, char **argv) {
  const char *group = argc > 1 ? argv[1] : "";
  pthread_t burners[2];
  first = pthread_self();
  work(0.02);
  for (int i = 0; i < 2; i++) pthread_create(&burners[i], NULL, burn, NULL);
  if (strcmp(group, "polls") == 0) {
    descriptor = epoll_create1(EPOLL_CLOEXEC);
    measure("poll", by_poll), measure("ppoll", by_ppoll), measure("select", by_select), measure("pselect", by_pselect), measure("epoll_wait", by_epoll);
  } else if (strcmp(group, "sleeps") == 0) {
    measure("nanosleep", by_nanosleep), measure("clock_nanosleep", by_clock), measure("clock_nanosleep until", by_absolute);
    measure("sem_timedwait", by_semaphore), measure("cond_timedwait", by_condition), measure("sigtimedwait", by_sigtimedwait);
  } else if (strcmp(group, "descriptors") == 0) {
    int ends[2];
    struct timeval t = {0, MS * 1000};
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return 1;
    descriptor = ends[0];
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    measure("recv", by_recv);
    if (pipe(ends) != 0) return 1;
    descriptor = ends[0], other = ends[1];
    measure("read", by_read);
    listener();
    measure("accept", by_accept), measure("connect", by_connect);
    descriptor = open("lock", O_RDWR | O_CREAT, 0600), other = open("lock", O_RDWR);
    measure("flock", by_flock);
  } else if (strcmp(group, "processes") == 0) {
    signal(SIGUSR1, on_signal);
    queue = msgget(IPC_PRIVATE, 0600);
    measure("msgrcv", by_msgrcv);
    msgctl(queue, IPC_RMID, NULL);
    queue = semget(IPC_PRIVATE, 1, 0600);
    measure("semop", by_semop);
    semctl(queue, 0, SETVAL, 0); // of a call that was interrupted
    measure("semtimedop", by_semtimedop);
    semctl(queue, 0, IPC_RMID);
    measure("pause", by_pause), measure("wait4", by_wait4);
  } else return 64;
  stop = 1;
  for (int i = 0; i < 2; i++) pthread_join(burners[i], NULL);
  return 0;
}
