// Compiled with frame pointers and without any call frame information.
#include <signal.h>

int bare_leaf(int number);
int bare_calls(int (*function)(int), int number);
void bare_handler(int number);

// No frame, a loop and two ways out.
__attribute__((noinline)) int bare_leaf(int number) {
  if (number > 25) return number * 3;
  volatile int local = 4;
  while (local-- > 0) number += local;
  return number;
}

// Registers saved beside the frame record.
__attribute__((noinline)) int bare_calls(int (*function)(int), int number) {
  volatile char local[100];
  local[number] = 1;
  int first = function(number), second = function(first & 15);
  return first * second + function(local[number]) + bare_leaf(second & 7) + number;
}

void bare_handler(int number) {
  volatile char local[200];
  local[number] = (char)raise(SIGUSR2);
  (void)local[number];
}
