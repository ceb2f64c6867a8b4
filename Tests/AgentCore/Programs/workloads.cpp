// Code that is hard on an unwinder, interrupted by a fast timer.
#include "oracle.h"

#include <algorithm>
#include <immintrin.h>
#include <map>
#include <pthread.h>
#include <stdexcept>
#include <string>
#include <sys/time.h>
#include <vector>

static volatile unsigned long sink;

// Whether the program has not moved since the last sample, because the next signal was due before all had walked. Else one place would
// make many samples.
static bool stands_still(const ucontext_t *context) {
  static gregset_t last;
  if (memcmp(&last, &context->uc_mcontext.gregs, sizeof(greg_t) * (REG_RIP + 1)) == 0) return true;
  memcpy(&last, &context->uc_mcontext.gregs, sizeof last);
  return false;
}

static void on_tick(int, siginfo_t *, void *context) {
  ucontext_t *interrupted = static_cast<ucontext_t *>(context);
  if (!stands_still(interrupted)) oracle_compare(interrupted);
}

__attribute__((noinline)) static long recurse(int depth, long x) {
  if (depth == 0) {
    for (int i = 0; i < 2000; i++) x = x * 31 + i;
    return x;
  }
  long result = recurse(depth - 1, x + depth);
  return result ^ (depth * sink);
}

static int by_value(const void *a, const void *b) {
  int x = *static_cast<const int *>(a), y = *static_cast<const int *>(b);
  return (x > y) - (x < y);
}

static void sorting() {
  std::vector<int> v(20000);
  unsigned seed = 1;
  for (auto &x : v) x = static_cast<int>(seed = seed * 1664525 + 1013904223);
  qsort(v.data(), v.size(), sizeof v[0], by_value);
  std::sort(v.begin(), v.end(), [](int a, int b) { return (a ^ 0x5555) < (b ^ 0x5555); });
  std::map<int, std::string> m;
  for (int i = 0; i < 3000; i++) m[v[static_cast<size_t>(i)]] = std::to_string(i);
  sink = sink + m.size();
}

static void strings() {
  static char big[1 << 16], other[1 << 16];
  memset(big, 'x', sizeof big - 1);
  for (int i = 0; i < 200; i++) {
    memcpy(other, big, sizeof big);
    other[i] = 'y';
    sink = sink + strlen(other) + static_cast<unsigned long>(memcmp(other, big, sizeof big)) + (strchr(other, 'z') != nullptr);
    memmove(other + 1, other, sizeof other - 2);
  }
}

static void printing() {
  char line[256];
  for (int i = 0; i < 3000; i++)
    sink = sink + static_cast<unsigned long>(snprintf(line, sizeof line, "%d %s %.17g %x", i, "text", i / 3.0, i));
}

struct Guard {
  ~Guard() { sink = sink + 1; }
};

__attribute__((noinline)) static void thrower(int depth) {
  Guard guard;
  if (depth == 0) throw std::runtime_error("away");
  thrower(depth - 1);
  sink = sink + 1;
}

static void exceptions() {
  for (int i = 0; i < 300; i++) {
    try {
      thrower(i % 20);
    } catch (const std::exception &e) {
      sink = sink + strlen(e.what());
    }
  }
}

__attribute__((noinline)) static void dynamic_stack(int n) {
  char *p = static_cast<char *>(__builtin_alloca(static_cast<size_t>(n * 16 + 16)));
  for (int i = 0; i < n * 16; i++) p[i] = static_cast<char>(i);
  sink = sink + static_cast<unsigned long>(p[n]);
}

// A realigned stack: the CFA is found through a saved pointer.
__attribute__((noinline, target("avx2"), force_align_arg_pointer)) static void realigned(int n) {
  alignas(64) volatile float values[64];
  char *p = static_cast<char *>(__builtin_alloca(static_cast<size_t>(n + 32)));
  for (int i = 0; i < 64; i++) values[i] = static_cast<float>(i * n);
  __m256 sum = _mm256_setzero_ps();
  for (int round = 0; round < 20; round++)
    for (int i = 0; i < 64; i += 8) sum = _mm256_add_ps(sum, _mm256_loadu_ps(const_cast<const float *>(&values[i])));
  p[n] = static_cast<char>(sum[0]);
  dynamic_stack(p[n] & 15);
}

static void stacks() {
  bool avx2 = __builtin_cpu_supports("avx2");
  for (int i = 0; i < 3000; i++) {
    dynamic_stack(i % 50);
    if (avx2) realigned(i % 50);
  }
}

// Handlers within handlers, on another stack.
static void on_user2(int) {
  for (int i = 0; i < 300; i++) sink = sink + static_cast<unsigned long>(i) * sink;
}
static void on_user1(int) {
  raise(SIGUSR2);
  for (int i = 0; i < 300; i++) sink = sink + static_cast<unsigned long>(i) * sink;
}

static void nested_signals() {
  for (int i = 0; i < 600; i++) raise(SIGUSR1);
}

static void clocks() {
  struct timespec now;
  struct timeval day;
  for (int i = 0; i < 60000; i++) {
    clock_gettime(CLOCK_MONOTONIC, &now);
    gettimeofday(&day, nullptr);
    sink = sink + static_cast<unsigned long>(now.tv_nsec);
  }
}

static void calls() {
  for (int i = 0; i < 100000; i++) sink = sink + static_cast<unsigned long>(abs(i) + atoi("17")) + static_cast<unsigned long>(rand());
}

static void *in_thread(void *tick) {
  pthread_sigmask(SIG_UNBLOCK, static_cast<sigset_t *>(tick), nullptr);
  recurse(30, 7);
  printing();
  pthread_sigmask(SIG_BLOCK, static_cast<sigset_t *>(tick), nullptr);
  return nullptr;
}

int main(int argc, char **argv) {
  oracle_begin(argc, argv);
  stack_t alternate = {};
  alternate.ss_size = 256 * 1024;
  alternate.ss_sp = malloc(alternate.ss_size);
  sigaltstack(&alternate, nullptr);
  struct sigaction action = {};
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  action.sa_sigaction = on_tick;
  sigfillset(&action.sa_mask);
  sigaction(SIGALRM, &action, nullptr);
  struct sigaction user = {};
  user.sa_flags = SA_ONSTACK | SA_RESTART;
  user.sa_handler = on_user1;
  sigaction(SIGUSR1, &user, nullptr);
  user.sa_handler = on_user2;
  sigaction(SIGUSR2, &user, nullptr);

  struct itimerval every = {{0, 150}, {0, 150}};
  setitimer(ITIMER_REAL, &every, nullptr);
  void (*const work[])() = {[] { for (int i = 0; i < 300; i++) sink = sink + static_cast<unsigned long>(recurse(i % 100, i)); },
                            sorting, strings, printing, exceptions, stacks, nested_signals, clocks, calls};
  for (int round = 0; round < 15; round++)
    for (auto function : work) function();
  struct itimerval never = {};
  setitimer(ITIMER_REAL, &never, nullptr);
  int failed = oracle_end("workloads", 500);

  // Threads of their own: only they take the signal, with an unwinder of their own.
  oracle_samples = oracle_frames = oracle_equal = oracle_settled = oracle_different = 0;
  memset(oracle_outcomes, 0, sizeof oracle_outcomes);
  oracle_unwinder = oracle_new_unwinder();
  pthread_t thread;
  sigset_t tick;
  sigemptyset(&tick);
  sigaddset(&tick, SIGALRM);
  pthread_sigmask(SIG_BLOCK, &tick, nullptr);
  setitimer(ITIMER_REAL, &every, nullptr);
  // As many as let one sample of an exception that is landing be different, among all.
  for (int i = 0; i < 80; i++) {
    pthread_create(&thread, nullptr, in_thread, &tick);
    pthread_join(thread, nullptr);
  }
  setitimer(ITIMER_REAL, &never, nullptr);
  return failed | oracle_end("threads", 50);
}
