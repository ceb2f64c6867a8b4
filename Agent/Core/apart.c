#define _GNU_SOURCE // of sched.h
#include "apart.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "agent.h"
#include "raw_syscall.h"

// Room on the stack for the frame of the thread that waits.
#define WAITING_FRAME 1024

struct task {
  void (*work)(void *);
  void *argument;
  _Atomic uint32_t running; // cleared by the kernel when the thread has ended
  bool done;
};

static __thread bool apart; // the calling thread's work is being done apart: it is the same variable in there

// The thread.
__attribute__((used)) static void run(struct task *task) {
  if (sp_syscall3(SYS_close_range, 0, UINT32_MAX, CLOSE_RANGE_UNSHARE) != 0 && sp_syscall1(SYS_unshare, CLONE_FILES) != 0) return;
  task->work(task->argument);
  task->done = true;
}

// Starts the thread on a stack that ends at `stack`. Its id, or -errno.
static inline long start(struct task *task, uintptr_t stack) {
#if defined(__x86_64__)
  long result;
  register long child_tid __asm__("r10") = (long)&task->running;
  register long tls __asm__("r8") = 0;
  __asm__ volatile("syscall\n\t"
                   "testq %%rax, %%rax\n\t"
                   "jnz 1f\n\t"
                   "xorl %%ebp, %%ebp\n\t"
                   "movq %%rbx, %%rdi\n\t"
                   "call %P[run]\n\t"
                   "xorl %%edi, %%edi\n\t"
                   "movl %[exit], %%eax\n\t"
                   "syscall\n\t"
                   "1:"
                   : "=a"(result)
                   : "a"(SYS_clone), "D"(SP_APART_FLAGS), "S"(stack), "d"(0L), "r"(child_tid), "r"(tls), "b"(task), [run] "i"(run),
                     [exit] "i"(SYS_exit)
                   : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long number __asm__("x8") = SYS_clone;
  register long x0 __asm__("x0") = SP_APART_FLAGS;
  register long top __asm__("x1") = (long)stack;
  register long parent_tid __asm__("x2") = 0;
  register long tls __asm__("x3") = 0;
  register long child_tid __asm__("x4") = (long)&task->running;
  register struct task *own __asm__("x5") = task;
  __asm__ volatile("svc 0\n\t"
                   "cbnz x0, 1f\n\t"
                   "mov x29, xzr\n\t"
                   "mov x0, x5\n\t"
                   "bl %[run]\n\t"
                   "mov x0, xzr\n\t"
                   "mov x8, %[exit]\n\t"
                   "svc 0\n"
                   "1:"
                   : "+r"(x0)
                   : "r"(number), "r"(top), "r"(parent_tid), "r"(tls), "r"(child_tid), "r"(own), [run] "S"(run), [exit] "i"(SYS_exit)
                   : "memory");
  return x0;
#endif
}

// Whether the program has left us what the thread takes.
static bool may_start(void) {
  static const int calls[] = {SYS_clone, SYS_exit, SYS_futex, SYS_rt_sigprocmask};
  for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++)
    if (!sp_may_call(calls[i])) return false;
  return true;
}

// Whether the process has no other thread, and so nobody who could see a descriptor of the caller's.
static bool is_alone(void) {
  struct stat s;
  // The folder has a link for each thread, and two of its own.
  return sp_syscall4(SYS_newfstatat, AT_FDCWD, "/proc/self/task", &s, 0) == 0 && s.st_nlink == 3;
}

// The program's signals wait, in both threads: a handler's frame would lie where the other one's stack is.
void sp_apart(void (*work)(void *), void *argument) {
  struct task task = {.work = work, .argument = argument, .running = 1};
  if (!apart && may_start() && !is_alone()) {
    uint64_t all = ~0ull, before = 0;
    sp_syscall4(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof before);
    apart = true; // only now: a handler that came between might fork, or never return
    long tid = start(&task, ((uintptr_t)__builtin_frame_address(0) - WAITING_FRAME) & ~(uintptr_t)15);
    while (!sp_syscall_failed(tid) && atomic_load(&task.running) != 0)
      sp_syscall4(SYS_futex, &task.running, FUTEX_WAIT, 1, NULL); // as the kernel wakes: not FUTEX_PRIVATE_FLAG
    apart = false;
    sp_syscall4(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);
  }
  if (!task.done) work(argument);
}
