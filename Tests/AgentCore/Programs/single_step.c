// Every instruction of many functions, prologues, epilogues and PLT stubs among them: the trap flag raises SIGTRAP after each.
#include "step.h"

#include <ctype.h>
#include <math.h>

long corner_nested(void), corner_register(void), corner_expression(void), corner_value(void);

static void on_trap(int number, siginfo_t *info, void *context) {
  (void)number, (void)info;
  oracle_compare(context);
}

__attribute__((noinline)) static double floating(double x) { return sin(x) * pow(x, 1.5) + floor(x); }

static void on_user(int number) { sink += number; }

int main(int argc, char **argv) {
  oracle_begin(argc, argv);
  step_begin(on_trap);
  struct sigaction user = {.sa_handler = on_user};
  sigaction(SIGUSR1, &user, NULL);
  char line[128];
  int numbers[24];
  for (int i = 0; i < 24; i++) numbers[i] = (i * 7919) % 101;
  raise(SIGUSR2);
  sink += recurse(12);
  sink += many_arguments(1, 2, 3, 4, 5, 6, 7, 8) + wide(3);
  sink += corner_nested() + corner_register() + corner_expression() + corner_value();
  qsort(numbers, 24, sizeof numbers[0], by_value);
  sink += snprintf(line, sizeof line, "%d %s %f %lx", 17, "text", 2.5, 255ul);
  sink += (long)strtod("3.14159", NULL) + (long)strlen(line) + toupper(line[0]) + (long)floating(2.25);
  memcpy(line + 32, line, 32);
  char *p = malloc(100), *q = calloc(3, 50);
  p = realloc(p, 5000);
  free(p);
  free(q);
  sink += time(NULL) + getpid();
  raise(SIGUSR1);
  setenv("NAME", "value", 1);
  sink += getenv("NAME") != NULL;
  raise(SIGUSR2);
  return oracle_end("single step", 5000);
}
