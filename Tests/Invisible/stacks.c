// stacks HOW: small, alternate, own and overflowing stacks, and jumps off them. A canary lies below each small one.
#define _GNU_SOURCE
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "work.h"

#define COUNT 24
#define PAGE 4096

// A stack of so many bytes whose lower neighbors are a page of a known pattern and one that faults.
static char *new_stack(size_t size) {
  char *memory = mmap(NULL, 2 * PAGE + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) abort();
  mprotect(memory, PAGE, PROT_NONE);
  memset(memory + PAGE, 0x5a, PAGE);
  return memory + 2 * PAGE;
}

// How many bytes of the pattern below a stack were overwritten.
static int damage(const char *stack) {
  int changed = 0;
  for (int i = 1; i <= PAGE; i++) changed += stack[-i] != 0x5a;
  return changed;
}

static volatile int done;

// 16 KB threads.
static void *small_thread(void *argument) {
  char local[2000];
  memset(local, (int)(intptr_t)argument, sizeof local);
  work(0.02);
  __atomic_fetch_add(&done, local[999] == (int)(intptr_t)argument, __ATOMIC_RELAXED);
  return NULL;
}
static void threads_of(size_t size, int own) {
  pthread_t threads[COUNT];
  char *stacks[COUNT];
  int damaged = 0;
  for (int i = 0; i < COUNT; i++) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    stacks[i] = new_stack(size);
    int error = own ? pthread_attr_setstack(&attributes, stacks[i], size) : pthread_attr_setstacksize(&attributes, size);
    if (error != 0 || pthread_create(&threads[i], &attributes, small_thread, (void *)(intptr_t)i) != 0) printf("no thread\n"), exit(1);
  }
  for (int i = 0; i < COUNT; i++) pthread_join(threads[i], NULL), damaged += damage(stacks[i]);
  printf("%d of %zu bytes, own %d, damaged %d\n", done, size, own, damaged);
}
static void part_small(void) { threads_of(PTHREAD_STACK_MIN, 0); }
static void part_given(void) { threads_of(PTHREAD_STACK_MIN, 1); }

// A busy handler on an 8 KB alternate stack, of SIGUSR1, or of SIGPROF and SIGALRM by timers of its own.
static volatile int handled;
static void on_busy(int number) {
  char local[512];
  memset(local, number, sizeof local);
  work(0.003);
  handled += local[100] == number;
}
static void part_alternate(void) {
  stack_t alternate = {.ss_sp = new_stack(8192), .ss_size = 8192}, now;
  struct sigaction action = {.sa_handler = on_busy, .sa_flags = SA_ONSTACK | SA_RESTART};
  struct itimerval often = {{0, 10000}, {0, 10000}}, none = {{0, 0}, {0, 0}};
  sigaltstack(&alternate, NULL);
  sigaction(SIGUSR1, &action, NULL), sigaction(SIGALRM, &action, NULL), sigaction(SIGPROF, &action, NULL);
  for (int i = 0; i < 60; i++) raise(SIGUSR1), work(0.001);
  printf("handled %d\n", handled);
  setitimer(ITIMER_REAL, &often, NULL); // one after the other: two frames of the kernel's are all that fits
  work(0.2);
  setitimer(ITIMER_REAL, &none, NULL), setitimer(ITIMER_PROF, &often, NULL);
  work(0.2);
  setitimer(ITIMER_PROF, &none, NULL);
  sigaltstack(NULL, &now);
  printf("some more %d, damaged %d, the same %d, flags %d\n", handled > 60, damage(alternate.ss_sp), now.ss_sp == alternate.ss_sp, now.ss_flags);
}

// Coroutines that switch all the time.
static ucontext_t back, routines[COUNT];
static void routine(int number) {
  volatile char local[1024];
  for (int i = 0; i < 30; i++) {
    local[i] = (char)number;
    work(0.0004);
    swapcontext(&routines[number], &back);
    done += local[i] == number;
  }
}
static void coroutines(size_t size) {
  static char *stacks[COUNT];
  static int damaged;
  done = damaged = 0;
  for (int i = 0; i < COUNT; i++) {
    getcontext(&routines[i]);
    stacks[i] = new_stack(size);
    routines[i].uc_stack.ss_sp = stacks[i], routines[i].uc_stack.ss_size = size, routines[i].uc_link = &back;
    makecontext(&routines[i], (void (*)(void))(uintptr_t)routine, 1, i);
  }
  for (int round = 0; round < 31; round++)
    for (int i = 0; i < COUNT; i++) swapcontext(&back, &routines[i]);
  for (int i = 0; i < COUNT; i++) damaged += damage(stacks[i]);
  printf("coroutines of %zu: %d, damaged %d\n", size, done, damaged);
}
static void part_coroutines(void) { coroutines(8192), coroutines(16384); }

// A million frames.
static __attribute__((noinline)) unsigned long deeper(unsigned long n) {
  if (n == 0) {
    work(0.3);
    return 1;
  }
  unsigned long below = deeper(n - 1);
  __asm__ volatile("" : "+r"(below));
  return below + 1;
}
static void *deep(void *unused) {
  printf("%lu\n", deeper(1000000));
  return unused;
}
static void part_deep(void) {
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256ul << 20);
  pthread_create(&thread, &attributes, deep, NULL);
  pthread_join(thread, NULL);
}

// Overflows, caught on an alternate stack, again and again; then one that nobody catches.
static sigjmp_buf caught;
static volatile int overflows, wrong_address;
static char *lowest;
static void on_overflow(int number, siginfo_t *info, void *context) {
  (void)number, (void)context;
  overflows++;
  wrong_address += (char *)info->si_addr > lowest + 65536 || (char *)info->si_addr < lowest - 65536;
  work(0.001);
  siglongjmp(caught, 1);
}
static volatile int enough = 1 << 30;
static __attribute__((noinline)) int endless(int n) {
  volatile char room[400];
  room[0] = (char)n;
  if (n % 64 == 0) work(0.00001);
  return n == enough ? 0 : endless(n + 1) + room[0];
}
static void *overflow(void *catches) {
  stack_t alternate = {.ss_sp = new_stack(8192), .ss_size = 8192};
  struct sigaction action = {.sa_sigaction = on_overflow, .sa_flags = SA_ONSTACK | SA_SIGINFO};
  pthread_attr_t attributes;
  void *stack;
  size_t size;
  pthread_getattr_np(pthread_self(), &attributes);
  pthread_attr_getstack(&attributes, &stack, &size);
  lowest = stack;
  if (catches != NULL) sigaltstack(&alternate, NULL), sigaction(SIGSEGV, &action, NULL);
  for (volatile int i = 0; i < 40; i++)
    if (sigsetjmp(caught, 1) == 0) printf("%d", endless(1));
  printf("caught %d, wrong address %d, damaged %d\n", overflows, wrong_address, damage(alternate.ss_sp));
  fflush(stdout);
  return NULL;
}
static void overflow_in_thread(void *catches) {
  pthread_t thread;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 << 10);
  pthread_create(&thread, &attributes, overflow, catches);
  pthread_join(thread, NULL);
}
static void part_overflow(void) { overflow_in_thread(&caught); }
static void part_dies(void) { work(0.05), overflow_in_thread(NULL); }

// longjmp, without the mask, out of a handler that let its signal through.
static jmp_buf jump;
static volatile int jumps;
static void on_jump(int number) {
  jumps++;
  (void)number;
  longjmp(jump, 1);
}
static void part_jumps(void) {
  for (volatile int how = 0; how < 2; how++) {
    struct sigaction action = {.sa_handler = on_jump, .sa_flags = SA_NODEFER};
    struct itimerval often = {{0, 2000}, {0, 2000}}, none = {{0, 0}, {0, 0}};
    jumps = 0;
    sigaction(how ? SIGPROF : SIGALRM, &action, NULL);
    setjmp(jump);
    if (jumps == 0) setitimer(how ? ITIMER_PROF : ITIMER_REAL, &often, NULL);
    while (jumps < 60) work(0.0002);
    setitimer(how ? ITIMER_PROF : ITIMER_REAL, &none, NULL);
    sigset_t mask;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    printf("jumped %d, blocked %d\n", jumps >= 60, sigismember(&mask, how ? SIGPROF : SIGALRM));
  }
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    void (*run)(void);
  } parts[] = {{"small", part_small}, {"given", part_given}, {"alternate", part_alternate}, {"coroutines", part_coroutines},
               {"deep", part_deep}, {"overflow", part_overflow}, {"dies", part_dies}, {"jumps", part_jumps}};
  for (unsigned i = 0; argc > 1 && i < sizeof parts / sizeof *parts; i++)
    if (strcmp(parts[i].name, argv[1]) == 0) {
      if (argc > 2) work(0.02); // the agent is at work before
      parts[i].run();
      return 0;
    }
  return 64;
}
