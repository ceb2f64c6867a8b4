// A library whose constructor uses CPU, inside dlopen and under the loader's lock, in the way of the program that loads it.
extern void burn_held(void);

__attribute__((constructor, noinline)) static void hold_constructor(void) {
  burn_held();
  __asm__ volatile("");
}
