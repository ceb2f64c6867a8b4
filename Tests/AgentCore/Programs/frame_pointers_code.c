// Compiled with frame pointers and without any call frame information.
#include <stddef.h>
#include <stdint.h>

extern uintptr_t truth[64];
extern unsigned truth_count;
extern volatile int released;

int chain_end(int (*function)(void));
int chain_recurse(int depth, int (*function)(void));

// Notes where it returns to; calls on, or spins until a signal handler has looked.
__attribute__((noinline)) int chain_end(int (*function)(void)) {
  truth[truth_count++] = (uintptr_t)__builtin_return_address(0);
  if (function != NULL) return function() + 1;
  while (!released) continue;
  return 1;
}

__attribute__((noinline)) int chain_recurse(int depth, int (*function)(void)) {
  truth[truth_count++] = (uintptr_t)__builtin_return_address(0);
  int result = depth == 0 ? chain_end(function) : chain_recurse(depth - 1, function);
  truth_count--;
  return result + 1;
}
