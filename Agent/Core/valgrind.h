// Whether the program runs under Valgrind, which takes a handler on a stack of its own, and threads that it is not told of, for faults of
// the program's. What it would measure is the emulation.
#ifndef SP_VALGRIND_H
#define SP_VALGRIND_H

#include <stdbool.h>

// The request RUNNING_ON_VALGRIND: an instruction sequence without effect that Valgrind knows, as in its manual ("The Client Request
// mechanism") and valgrind.h.
static inline bool sp_under_valgrind(void) {
  volatile unsigned long request[6] = {0x1001};
#if defined(__x86_64__)
  unsigned long result = 0;
  __asm__ volatile("rolq $3, %%rdi; rolq $13, %%rdi; rolq $61, %%rdi; rolq $51, %%rdi; xchgq %%rbx, %%rbx"
                   : "+d"(result)
                   : "a"(request)
                   : "cc", "memory");
#elif defined(__aarch64__)
  register unsigned long result __asm__("x3") = 0;
  register volatile unsigned long *arguments __asm__("x4") = request;
  __asm__ volatile("ror x12, x12, #3; ror x12, x12, #13; ror x12, x12, #51; ror x12, x12, #61; orr x10, x10, x10"
                   : "+r"(result)
                   : "r"(arguments)
                   : "cc", "memory");
#endif
  return result != 0;
}

#endif
