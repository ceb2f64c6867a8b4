// daemon SECONDS: does what daemons do. Uses CPU time, closes every descriptor but the standard ones, goes to /, opens files and writes
// to them while it works, and checks that they hold what it wrote. Prints the numbers that its descriptors got.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "burn.h"

volatile uint64_t sink;

// The comment in the assembly keeps two functions of one body two, and the call from becoming a jump.

__attribute__((noinline)) static void before_closing(double seconds) {
  burn(seconds);
  __asm__ volatile("# before_closing");
}
__attribute__((noinline)) static void after_closing(double seconds) {
  burn(seconds);
  __asm__ volatile("# after_closing");
}

int main(int argc, char **argv) {
  double seconds = argc > 1 ? atof(argv[1]) : 0.3;
  before_closing(seconds);
  close_range(3, ~0u, 0);
  if (chdir("/") != 0) return 1;
  umask(0);
  int files[3];
  for (int i = 0; i < 3; i++) {
    char name[] = "/tmp/statprof-daemon-XXXXXX";
    files[i] = mkstemp(name);
    unlink(name);
  }
  printf("%d %d %d\n", files[0], files[1], files[2]);
  for (int round = 0; round < 20; round++) {
    after_closing(seconds / 20);
    for (int i = 0; i < 3; i++)
      if (write(files[i], "0123456789", 10) != 10) return 2;
  }
  for (int i = 0; i < 3; i++) {
    char text[256];
    if (pread(files[i], text, sizeof text, 0) != 200) return 3;
    for (int at = 0; at < 200; at += 10)
      if (memcmp(text + at, "0123456789", 10) != 0) return 4;
  }
  return 0;
}
