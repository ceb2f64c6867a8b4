// A program that says what of it is to be profiled. Build it against statprof.h alone; it runs with and without the library:
//
//     cc -O2 -g -Idist docs/example.c -o example
//     ./example
//     STATPROF_START=0 dist/statprof --report ./example
#include "statprof.h"

#include <stdio.h>

// The API is declared weak: without the library its functions are NULL.
static void start(void) {
  if (statprof_start) statprof_start();
}

static void stop(void) {
  if (statprof_stop) statprof_stop();
}

static void mark(const char *name) {
  if (statprof_mark) statprof_mark(name);
}

static volatile unsigned long sink;

__attribute__((noinline)) static void spin(unsigned long rounds) {
  for (unsigned long i = 0; i < rounds; i++) sink += i * i;
}

// Not of interest: it runs while recording is stopped.
__attribute__((noinline)) static void prepare(void) {
  spin(100000000);
  sink++;
}

// What the profile is to be about.
__attribute__((noinline)) static void work(void) {
  spin(300000000);
  sink++;
}

int main(void) {
  prepare();
  start();
  mark("work begins");
  work();
  mark("work ends");
  stop();
  prepare();
  printf("%s\n", statprof_is_active && statprof_is_active() ? "recording" : "not recording");
  return 0;
}
