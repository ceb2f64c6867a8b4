// threads HOW: threads that come and go in every way, and what the process shows of itself meanwhile.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

#include "work.h"

static _Atomic int done, destroyed;
static volatile sig_atomic_t stop;
static pthread_key_t key;

static int entries(const char *path) {
  DIR *folder = opendir(path);
  int count = 0;
  for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) count += entry->d_name[0] != '.';
  if (folder != NULL) closedir(folder);
  return count;
}

// Threads and descriptors of the process, as /proc shows them: the least of some looks, for a trace is opened in passing.
static void show(const char *when) {
  int descriptors = entries("/proc/self/fd");
  for (int i = 0; i < 10; i++) {
    usleep(2000);
    int now = entries("/proc/self/fd");
    if (now < descriptors) descriptors = now;
  }
  printf("%s: threads %d, descriptors %d, done %d\n", when, entries("/proc/self/task"), descriptors - 1, done);
}

// Waits until only `left` threads are there: what was joined may be in its last instructions.
static void settle(int left) {
  for (int i = 0; i < 2000 && entries("/proc/self/task") > left; i++) usleep(1000);
}

static void *brief(void *seconds) {
  if (seconds != NULL) work(*(double *)seconds);
  done++;
  return NULL;
}

static void start(pthread_t *thread, void *(*run)(void *), void *argument) {
  int error = pthread_create(thread, NULL, run, argument);
  if (error != 0) printf("pthread_create: %s\n", strerror(error)), exit(1);
}

static void part_many(void) { // 5000, four at a time
  pthread_t threads[4];
  double seconds = 0.0001;
  for (int i = 0; i < 1250; i++) {
    for (int j = 0; j < 4; j++) start(&threads[j], brief, j % 2 ? &seconds : NULL);
    for (int j = 0; j < 4; j++) pthread_join(threads[j], NULL);
  }
  settle(1);
  show("5000");
}

static void part_short(void) {
  pthread_t threads[2];
  double seconds = 0.002;
  for (int i = 0; i < 200; i++) {
    for (int j = 0; j < 2; j++) start(&threads[j], brief, &seconds);
    for (int j = 0; j < 2; j++) pthread_join(threads[j], NULL);
  }
  settle(1);
  show("of 2 ms");
}

static void part_detached(void) {
  double seconds = 0.001;
  for (int i = 0; i < 300; i++) {
    pthread_t thread;
    start(&thread, brief, &seconds);
    pthread_detach(thread);
    while (done + 8 < i) usleep(200);
  }
  settle(1);
  show("detached");
}

static pthread_barrier_t barrier;
static void *gather(void *unused) {
  work(0.0003);
  pthread_barrier_wait(&barrier);
  work(0.0003);
  pthread_barrier_wait(&barrier);
  done++;
  return unused;
}
static void part_thousand(void) {
  static pthread_t threads[1000];
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 65536);
  pthread_barrier_init(&barrier, NULL, 1001);
  for (int i = 0; i < 1000; i++)
    if (pthread_create(&threads[i], &attributes, gather, NULL) != 0) printf("no thread %d\n", i), exit(1);
  pthread_barrier_wait(&barrier);
  printf("at once %d descriptors\n", entries("/proc/self/fd"));
  int least = entries("/proc/self/task"); // while all of them are first sampled there may be one more for a moment
  for (int i = 0, now; i < 100; i++, usleep(1000))
    if ((now = entries("/proc/self/task")) < least) least = now;
  printf("at once %d threads\n", least);
  pthread_barrier_wait(&barrier);
  for (int i = 0; i < 1000; i++) pthread_join(threads[i], NULL);
  settle(1);
  show("after");
}

// Cancellation, deferred and asynchronous, in calls and in the midst of work.
static void cleanup(void *unused) { (void)unused, work(0.001), destroyed++; }
static void *canceled(void *kind) {
  pthread_cleanup_push(cleanup, NULL);
  if (kind != NULL) pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
  done++;
  if (kind != NULL) while (!stop) work_sink++;
  for (;;) work(0.001), usleep(100);
  pthread_cleanup_pop(0);
  return NULL;
}
static void part_cancel(void) {
  int ended = 0;
  for (int i = 0; i < 60; i++) {
    pthread_t thread;
    void *result;
    start(&thread, canceled, i % 2 ? &done : NULL);
    while (done <= i) sched_yield();
    work(0.004);
    pthread_cancel(thread);
    pthread_join(thread, &result);
    ended += result == PTHREAD_CANCELED;
  }
  settle(1);
  printf("canceled %d, cleaned up %d\n", ended, destroyed);
  show("after");
}

// The first thread ends, the others go on; the last one's end is the process's.
static void at_exit(void) { printf("exit handler, done %d\n", done); }
static void part_main_ends(void) {
  pthread_t thread;
  static double seconds = 0.1;
  atexit(at_exit);
  for (int i = 0; i < 3; i++) start(&thread, brief, &seconds), pthread_detach(thread);
  pthread_exit(NULL);
}

// exit() in a handler, and in a thread, while others are at work.
static void *burn(void *unused) {
  while (!stop) work(0.001);
  return unused;
}
static void on_exit_signal(int number) { exit(number == SIGALRM ? 17 : 18); }
static void part_handler_exits(void) {
  pthread_t thread;
  atexit(at_exit);
  for (int i = 0; i < 3; i++) start(&thread, burn, NULL);
  signal(SIGALRM, on_exit_signal);
  ualarm(300000, 0);
  for (;;) work(0.001);
}
static void *exits(void *unused) {
  work(0.05);
  exit(19);
  return unused;
}
static void part_thread_exits(void) {
  pthread_t thread;
  atexit(at_exit);
  for (int i = 0; i < 3; i++) start(&thread, burn, NULL);
  start(&thread, exits, NULL);
  for (;;) pause();
}

// Destructors of thread-specific data run, again while they set it, and use CPU time.
static void destroy(void *left) {
  work(0.0005);
  destroyed++;
  if ((intptr_t)left > 1) pthread_setspecific(key, (void *)((intptr_t)left - 1));
}
static void *specific(void *unused) {
  pthread_setspecific(key, (void *)(intptr_t)10); // more rounds than there are
  work(0.001);
  return unused;
}
static int specific_c11(void *unused) { return specific(unused) != NULL; }
static void part_destructors(void) {
  pthread_key_create(&key, destroy);
  printf("key %u\n", (unsigned)key);
  for (int i = 0; i < 50; i++) {
    pthread_t thread;
    start(&thread, specific, NULL);
    pthread_join(thread, NULL);
    thrd_t other;
    if (thrd_create(&other, specific_c11, NULL) != thrd_success) abort();
    thrd_join(other, NULL);
  }
  pthread_key_t last;
  int count = 0;
  while (pthread_key_create(&last, NULL) == 0) count++;
  printf("destroyed %d; keys that are left: about %d\n", destroyed, (count + 8) / 16 * 16);
}

// fork in one thread while others are in malloc.
static void *allocate(void *unused) {
  for (unsigned i = 0; !stop; i++) free(malloc(i % 5000 + 1));
  return unused;
}
static void part_fork(void) {
  pthread_t threads[3];
  int statuses = 0, descriptors = entries("/proc/self/fd");
  for (int i = 0; i < 3; i++) start(&threads[i], allocate, NULL);
  for (int i = 0; i < 60; i++) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
      free(malloc(100000));
      work(0.003);
      pthread_t thread;
      start(&thread, brief, NULL);
      pthread_join(thread, NULL);
      _exit(entries("/proc/self/fd") == descriptors ? 7 : 8);
    }
    int status;
    while (waitpid(child, &status, 0) < 0) {}
    statuses += WIFEXITED(status) && WEXITSTATUS(status) == 7;
  }
  stop = 1;
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  printf("children %d\n", statuses);
}

// Threads made by clone, without the C library: of its descriptor of a thread they have none of their own.
static int raw(void *unused) {
  for (int i = 0; i < 20000000 && unused == NULL; i++) work_sink = work_sink * 3 + 1;
  __atomic_fetch_add((int *)&done, 1, __ATOMIC_RELAXED);
  return 0;
}
static void part_clone(void) {
  static int ids[4];
  work(0.02);
  for (int i = 0; i < 4; i++) {
    char *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ids[i] = 1;
    int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID;
    if (clone(raw, stack + 65536, flags, NULL, NULL, NULL, &ids[i]) < 0) abort();
  }
  for (int i = 0; i < 4; i++)
    while (__atomic_load_n(&ids[i], __ATOMIC_ACQUIRE) != 0) work(0.001);
  settle(1);
  show("cloned");
}

// No more threads than the process is allowed: the same error, and the same number of them.
static void part_limit(void) {
  struct rlimit limit; // address space for a few stacks above what is mapped
  FILE *file = fopen("/proc/self/statm", "re");
  unsigned long pages = 0;
  if (file == NULL || fscanf(file, "%lu", &pages) != 1) return;
  fclose(file);
  work(0.02);
  limit.rlim_cur = limit.rlim_max = pages * 4096 + (100u << 20);
  setrlimit(RLIMIT_AS, &limit);
  pthread_t thread;
  int count = 0, error;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 32u << 20);
  while ((error = pthread_create(&thread, &attributes, burn, NULL)) == 0 && count < 10) count++;
  stop = 1;
  printf("some %d, error %d\n", count > 0 && count < 4, error);
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    void (*run)(void);
  } parts[] = {{"many", part_many}, {"short", part_short}, {"detached", part_detached}, {"thousand", part_thousand},
               {"cancel", part_cancel}, {"main-ends", part_main_ends}, {"handler-exits", part_handler_exits},
               {"thread-exits", part_thread_exits}, {"destructors", part_destructors}, {"fork", part_fork}, {"clone", part_clone},
               {"limit", part_limit}};
  for (unsigned i = 0; argc > 1 && i < sizeof parts / sizeof *parts; i++)
    if (strcmp(parts[i].name, argv[1]) == 0) {
      parts[i].run();
      return 0;
    }
  return 64;
}
