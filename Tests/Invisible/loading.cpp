// loading WHAT FOLDER: plugins that come and go while threads use CPU time and throw. FOLDER has plugins 0 to 3 (plugin.cpp).
#include <atomic>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <string>

#include "work.h"

static std::atomic<bool> stop;
static std::atomic<long> thrown, caught, strange;

static std::string name(const char *folder, int number) { return std::string(folder) + "/plugin" + std::to_string(number) + ".so"; }

__attribute__((noinline)) static void deep(int depth) {
  std::string kept(static_cast<size_t>(depth) + 20, 'x'); // is to be freed on the way
  if (depth == 0) {
    thrown++;
    throw kept;
  }
  deep(depth - 1);
}

static void *thrower(void *unused) {
  while (!stop) {
    try {
      deep(20);
    } catch (std::string &) {
      caught++;
    }
    work(0.0002);
  }
  return unused;
}

// Loads, calls and unloads; also what throws through a plugin's frames.
static void *loader(void *folder) {
  for (int i = 0; i < 400; i++) {
    void *library = dlopen(name(static_cast<const char *>(folder), i % 4).c_str(), i % 2 ? RTLD_NOW : RTLD_LAZY);
    int (*function)(int) = library ? reinterpret_cast<int (*)(int)>(dlsym(library, "plugin")) : nullptr;
    if (!function) {
      strange++;
      continue;
    }
    if (function(i) != i + i % 4) strange++;
    try {
      function(-1);
      strange++;
    } catch (int value) {
      if (value != i % 4) strange++;
    }
    dlclose(library);
  }
  return nullptr;
}

int main(int argc, char **argv) {
  if (argc < 3) return 64;
  pthread_t threads[4];
  bool loads = strcmp(argv[1], "storm") == 0;
  if (loads || strcmp(argv[1], "throw") == 0) {
    pthread_create(&threads[0], nullptr, thrower, nullptr);
    pthread_create(&threads[1], nullptr, thrower, nullptr);
    for (int i = 2; i < 4 && loads; i++) pthread_create(&threads[i], nullptr, loader, argv[2]);
    for (int i = 2; i < 4 && loads; i++) pthread_join(threads[i], nullptr);
    if (!loads) work(0.5);
    stop = true;
    pthread_join(threads[0], nullptr);
    pthread_join(threads[1], nullptr);
  } else if (strcmp(argv[1], "replaced") == 0) { // on disk, by another file of the name, while it is mapped
    void *library = dlopen(name(argv[2], 0).c_str(), RTLD_NOW);
    int (*function)(int) = reinterpret_cast<int (*)(int)>(dlsym(library, "plugin"));
    for (int i = 0; i < 10; i++) {
      std::string other = "cp " + name(argv[2], 1 + i % 3) + " new.so && mv new.so here.so";
      if (i > 0 && system(other.c_str()) != 0) strange++;
      void *here = i > 0 ? dlopen("./here.so", RTLD_NOW) : nullptr;
      for (int n = 0; n < 200; n++)
        if (function(n) != n) strange++;
      if (here) dlclose(here);
    }
  } else { // by the run path of this program, and of a plugin
    void *library = dlopen("plugin2.so", RTLD_NOW);
    printf("%s\n", library ? "found" : dlerror());
    if (library) printf("%d\n", reinterpret_cast<int (*)(int)>(dlsym(library, "plugin"))(5));
    void *outer = dlopen("outer.so", RTLD_NOW);
    if (outer) printf("by the plugin: %d\n", reinterpret_cast<int (*)()>(dlsym(outer, "outer"))());
    else printf("%s\n", dlerror());
    work(0.2);
  }
  printf("thrown and caught: %d, strange: %ld\n", thrown == caught, strange.load());
  return 6;
}
