// A program with a segment of code far from its other ones: the loader knows it as several objects (as node's is).
#include <stdlib.h>

#include "burn.h"

volatile uint64_t sink;

__attribute__((noinline, section(".far"))) static void far_work(double seconds) {
  burn(seconds);
  sink++;
}

__attribute__((noinline)) static void near_work(double seconds) {
  far_work(seconds);
  sink++;
}

int main(int argc, char **argv) {
  near_work(argc > 1 ? atof(argv[1]) : 0.3);
  return 0;
}
