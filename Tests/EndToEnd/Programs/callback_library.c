// A shared library that calls back, and a function so small that calling it is mostly its PLT stub.
#include <stdint.h>

void library_apply(void (*function)(void *), void *argument) {
  function(argument);
  __asm__ volatile(""); // not a tail call
}

uint64_t library_tiny(uint64_t x) { return x + 1; }
