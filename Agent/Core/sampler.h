// What one tick does: the stack of the interrupted thread, and the CPU time that it stands for, into the trace.
#ifndef SP_SAMPLER_H
#define SP_SAMPLER_H

#include <signal.h>
#include <stdint.h>
#include <ucontext.h>

// Takes a sample of the calling thread, which a tick interrupted at `context`. Async-signal-safe; all signals are blocked. Uses a
// few hundred bytes of the current stack, then the agent's own.
void sp_sampler_tick(const siginfo_t *info, const ucontext_t *context);

// stack_switch_*.S: calls function(argument) on the stack that ends below `top` (16-aligned).
void sp_call_on_stack(void *top, void (*function)(void *argument), void *argument);

#endif
