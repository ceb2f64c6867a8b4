// The agent's unwinder beside two others on the same interrupted context: libunwind, and where those two differ libgcc's,
// which walks out of the signal handler itself. Both are loaded privately: the program's own exceptions must not see libunwind.
//
// Arguments that every program takes: --maps (modules by /proc/self/maps alone), --no-readv (process_vm_readv refused).
#ifndef ORACLE_H
#define ORACLE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define UNW_LOCAL_ONLY
#include <dlfcn.h>
#include <errno.h>
#include <libunwind.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#ifdef __cplusplus
#define _Atomic
extern "C" {
struct sp_frame {
  uintptr_t address;
  uint32_t module;
  uint8_t kind;
};
struct sp_unwinder;
struct sp_reader;
extern const uint32_t sp_unwinder_size;
struct sp_reader *sp_unwinder_reader(struct sp_unwinder *unwinder);
uint32_t sp_unwind(struct sp_unwinder *unwinder, const ucontext_t *context, int engine, struct sp_frame *frames, uint32_t capacity,
                   uint8_t *outcome);
void sp_modules_load(void);
}
#else
#include "stack_unwind.h"
#include "statprof_trace.h"
#endif

#define ORACLE_FRAMES 1024
#define OUTCOMES 10

static struct sp_unwinder *oracle_unwinder;
static long oracle_samples, oracle_equal, oracle_settled, oracle_different, oracle_shown;
static long oracle_outcomes[OUTCOMES];
static long oracle_frames;

typedef int (*oracle_trace_function)(void *context, void *argument);
static int (*oracle_backtrace)(oracle_trace_function, void *);
static uintptr_t (*oracle_get_ip)(void *context);

// libunwind's functions by the names that its header gives them on this machine.
#define ORACLE_TEXT(name) #name
#define ORACLE_NAME(name) ORACLE_TEXT(name)
static int (*oracle_init)(unw_cursor_t *cursor, unw_context_t *context, int flags);
static int (*oracle_step)(unw_cursor_t *cursor);
static int (*oracle_get_reg)(unw_cursor_t *cursor, int number, unw_word_t *value);

struct oracle_list {
  uintptr_t addresses[ORACLE_FRAMES];
  unsigned count;
};

// A fresh, zeroed unwinder.
static struct sp_unwinder *oracle_new_unwinder(void) {
  void *memory = mmap(NULL, sp_unwinder_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) abort();
  return (struct sp_unwinder *)memory;
}

// Makes the kernel refuse process_vm_readv, as a container's seccomp profile does.
static void oracle_refuse_readv(void) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    perror("seccomp");
    exit(3);
  }
}

// Loads the two others and makes the unwinder. To be called once, before all else but sp_modules_load().
static void oracle_load(void) {
  oracle_unwinder = oracle_new_unwinder();
  void *libgcc = dlopen("libgcc_s.so.1", RTLD_NOW | RTLD_LOCAL);
  void *libunwind = dlopen("libunwind.so.8", RTLD_NOW | RTLD_LOCAL);
  if (libgcc == NULL || libunwind == NULL) abort();
  *(void **)&oracle_backtrace = dlsym(libgcc, "_Unwind_Backtrace");
  *(void **)&oracle_get_ip = dlsym(libgcc, "_Unwind_GetIP");
  *(void **)&oracle_init = dlsym(libunwind, ORACLE_NAME(unw_init_local2));
  *(void **)&oracle_step = dlsym(libunwind, ORACLE_NAME(unw_step));
  *(void **)&oracle_get_reg = dlsym(libunwind, ORACLE_NAME(unw_get_reg));
  if (!oracle_backtrace || !oracle_get_ip || !oracle_init || !oracle_step || !oracle_get_reg) abort();
}

__attribute__((unused)) static void oracle_begin(int argc, char **argv) {
  int by_maps = 0;
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL); // what started the program may have had signals blocked
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--maps") == 0) by_maps = 1;
    if (strcmp(argv[i], "--no-readv") == 0) oracle_refuse_readv();
  }
  if (!by_maps) sp_modules_load();
  oracle_load();
}

static int oracle_collect(void *context, void *argument) {
  struct oracle_list *list = (struct oracle_list *)argument;
  if (list->count < ORACLE_FRAMES) list->addresses[list->count++] = oracle_get_ip(context);
  return 0;
}

static sigjmp_buf oracle_out_of_libgcc;

// Leaves libgcc.
static void oracle_on_crash(int number) {
  (void)number;
  siglongjmp(oracle_out_of_libgcc, 1);
}

// libgcc's walk, without the frames of the handler: from the last place where `first` is seen. It loads from whatever address it
// has come to, where it has lost its way (in an exception that lands): then it says nothing.
static void oracle_libgcc(uintptr_t first, struct oracle_list *list) {
  struct sigaction guard, before;
  memset(&guard, 0, sizeof guard);
  guard.sa_handler = oracle_on_crash;
  guard.sa_flags = SA_NODEFER;
  sigaction(SIGSEGV, &guard, &before);
  sigset_t fault, mask; // a handler that this is called from may block it
  sigemptyset(&fault);
  sigaddset(&fault, SIGSEGV);
  pthread_sigmask(SIG_UNBLOCK, &fault, &mask);
  list->count = 0;
  if (sigsetjmp(oracle_out_of_libgcc, 0) == 0) oracle_backtrace(oracle_collect, list);
  else list->count = 0;
  pthread_sigmask(SIG_SETMASK, &mask, NULL);
  sigaction(SIGSEGV, &before, NULL);
  unsigned skip = 0;
  while (skip < list->count && list->addresses[skip] != first) skip++;
  memmove(list->addresses, list->addresses + skip, (list->count - skip) * sizeof list->addresses[0]);
  list->count -= skip;
  while (list->count > 0 && list->addresses[list->count - 1] == 0) list->count--;
}

static void oracle_libunwind(ucontext_t *context, struct oracle_list *list) {
  unw_cursor_t cursor;
  unw_word_t ip;
  list->count = 0;
  if (oracle_init(&cursor, (unw_context_t *)context, UNW_INIT_SIGNAL_FRAME) != 0) return;
  do {
    if (oracle_get_reg(&cursor, UNW_REG_IP, &ip) != 0 || ip == 0) break;
    list->addresses[list->count++] = ip;
  } while (list->count < ORACLE_FRAMES && oracle_step(&cursor) > 0);
}

// Drops what the others show when they have lost their way: a last address that is in no module.
static void oracle_drop_stray(struct oracle_list *list) {
  Dl_info info;
  if (list->count > 1 && dladdr((void *)list->addresses[list->count - 1], &info) == 0) list->count--;
}

static int oracle_same(const struct sp_frame *frames, unsigned count, const struct oracle_list *list) {
  if (count != list->count) return 0;
  for (unsigned i = 0; i < count; i++)
    if (frames[i].address != list->addresses[i]) return 0;
  return 1;
}

static void oracle_print(const char *who, uintptr_t address) {
  Dl_info info;
  if (dladdr((void *)address, &info) == 0) memset(&info, 0, sizeof info);
  fprintf(stderr, "  %-9s %016lx %s+0x%lx %s+0x%lx\n", who, (unsigned long)address, info.dli_fname ? info.dli_fname : "?",
          (unsigned long)(address - (uintptr_t)info.dli_fbase), info.dli_sname ? info.dli_sname : "?",
          info.dli_saddr ? (unsigned long)(address - (uintptr_t)info.dli_saddr) : 0ul);
}

static void oracle_show(const struct sp_frame *frames, unsigned count, const struct oracle_list *other, const char *who, int outcome) {
  unsigned same = 0;
  while (same < count && same < other->count && frames[same].address == other->addresses[same]) same++;
  fprintf(stderr, "difference: own %u frames (outcome %d), %s %u, equal %u\n", count, outcome, who, other->count, same);
  for (unsigned i = same > 2 ? same - 2 : 0; i < same + 3 && i < count; i++) oracle_print("own", frames[i].address);
  for (unsigned i = same > 2 ? same - 2 : 0; i < same + 3 && i < other->count; i++) oracle_print(who, other->addresses[i]);
}

// To be called by a signal handler: unwinds its context in all ways and counts.
__attribute__((unused)) static void oracle_compare(ucontext_t *context) {
  static struct sp_frame frames[ORACLE_FRAMES];
  static struct oracle_list list, third;
  uint8_t outcome = 255;
  int saved_errno = errno;
  unsigned count = sp_unwind(oracle_unwinder, context, 0, frames, ORACLE_FRAMES, &outcome);
  oracle_samples++;
  oracle_frames += count;
  if (outcome < OUTCOMES) oracle_outcomes[outcome]++;
  if (outcome != 0 && getenv("ORACLE_VERBOSE")) {
    fprintf(stderr, "outcome %d:\n", outcome);
    for (unsigned i = 0; i < count; i++) oracle_print("own", frames[i].address);
  }
  oracle_libunwind(context, &list);
  oracle_drop_stray(&list);
  if (oracle_same(frames, count, &list)) {
    oracle_equal++;
  } else {
    oracle_libgcc((uintptr_t)context->uc_mcontext.gregs[REG_RIP], &third);
    oracle_drop_stray(&third);
    int settled = oracle_same(frames, count, &third);
    if (settled) oracle_settled++;
    else oracle_different++;
    if (oracle_shown < 6 && (!settled || getenv("ORACLE_VERBOSE"))) {
      oracle_shown++;
      oracle_show(frames, count, &list, "libunwind", outcome);
      if (!settled) oracle_show(frames, count, &third, "libgcc", outcome);
    }
  }
  errno = saved_errno;
}

// Prints the counts. 0 if at least 99.5 % of the stacks are what another unwinder says and as many are complete.
__attribute__((unused)) static int oracle_end(const char *name, long least_samples) {
  printf("%s: samples %ld, frames %ld, equal to libunwind %ld, to libgcc alone %ld, different %ld; outcomes", name, oracle_samples,
         oracle_frames, oracle_equal, oracle_settled, oracle_different);
  for (int i = 0; i < OUTCOMES; i++)
    if (oracle_outcomes[i] != 0) printf(" %d:%ld", i, oracle_outcomes[i]);
  printf("\n");
  if (oracle_samples < least_samples) return printf("%s: only %ld samples\n", name, oracle_samples), 2;
  if ((oracle_equal + oracle_settled) * 1000 < oracle_samples * 995) return 1;
  return oracle_outcomes[0] * 1000 < oracle_samples * 995;
}

#endif
