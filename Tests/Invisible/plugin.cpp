// A plugin of loading.cpp. NUMBER tells it from the others; with OUTER it loads one itself, by its own run path.
#include <dlfcn.h>

#ifdef OUTER
extern "C" int outer() {
  void *library = dlopen("plugin3.so", RTLD_NOW);
  return library ? reinterpret_cast<int (*)(int)>(dlsym(library, "plugin"))(1) : -1;
}
#else
static volatile unsigned sink;

__attribute__((noinline)) static int inner(int value, int depth) {
  for (unsigned i = 0; i < 3000 + NUMBER * 100; i++) sink = sink * 5 + i;
  if (depth > 0) return inner(value, depth - 1) + static_cast<int>(sink * 0);
  if (value < 0) throw NUMBER;
  return value + NUMBER;
}

extern "C" int plugin(int value) { return inner(value, 5 + NUMBER); }
#endif
