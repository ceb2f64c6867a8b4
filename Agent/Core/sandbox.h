// What the program has given up by seccomp, so that the agent makes no system call that would end the program, or be seen by it.
//
// A filter is run here, over the calls that the agent makes, before the kernel has it. Those that it would not simply let pass are forbidden
// to the agent from then on: raw_syscall.h answers them with -EPERM. Filters are only ever added, and so are the numbers here. Memory:
// 16 sets of 64 bytes. The look at them is async-signal-safe, the rest is ordinary code.
#ifndef SP_SANDBOX_H
#define SP_SANDBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SP_CALLS_END 512  // numbers of system calls from here on are forbidden in every sandbox
#define SP_CALLS_HARM 511 // the number of none: some call would have another effect than to fail

struct sp_calls {
  uint64_t words[SP_CALLS_END / 64];
};

struct sock_fprog;

// What is forbidden to the calling thread, and to all of them; NULL: nothing. Sets never change but for more.
extern __thread const struct sp_calls *sp_forbidden_own;
extern const struct sp_calls *_Atomic sp_forbidden_all;

// Whether a set has the call `n`.
static inline bool sp_calls_have(const struct sp_calls *calls, long n) {
  return calls != 0 && ((unsigned long)n >= SP_CALLS_END || (calls->words[n / 64] >> n % 64 & 1));
}

// Whether the agent may make the call `n` in the calling thread.
static inline bool sp_may_call(long n) {
  const struct sp_calls *all = atomic_load_explicit(&sp_forbidden_all, memory_order_relaxed);
  return __builtin_expect(!sp_calls_have(sp_forbidden_own, n) && !sp_calls_have(all, n), 1);
}

// Whether ticks can be taken, and what they stand for be measured, where `calls` are forbidden.
bool sp_sandbox_bears_ticks(const struct sp_calls *calls);

// What a filter of the program's (NULL: the strict mode), wherever it points to, would forbid. False: nothing.
bool sp_sandbox_evaluate(const struct sock_fprog *filter, struct sp_calls *forbidden);

// A set that is kept: `more`, and what `before` has. NULL only if both are.
const struct sp_calls *sp_sandbox_add(const struct sp_calls *before, const struct sp_calls *more);

#endif
