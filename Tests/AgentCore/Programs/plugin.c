// A library to load and unload. Compiled with two values of SIZE: the same layout, other frames.
#ifndef SIZE
#error SIZE
#endif

int plugin_call(int (*function)(void *), void *argument) {
  volatile char local[SIZE];
  local[0] = 1;
  int result = function(argument) + local[0];
#if SIZE > 100
  __asm__ volatile("" ::: "rbx", "r12", "r13");
#else
  __asm__ volatile("" ::: "r15", "r14", "r12");
#endif
  return result + local[0];
}
