// Two libraries of one layout that take turns at one address: a module's number and the rules kept for it must not outlive
// it. Arguments: the libraries.
#include "oracle.h"

#include "modules.h"

static const char *expected;
static uint32_t number;
static int failed;

static void on_user(int signal_number, siginfo_t *info, void *context) {
  (void)signal_number, (void)info;
  static struct sp_frame frames[ORACLE_FRAMES];
  uint8_t outcome;
  oracle_compare(context);
  uint32_t count = sp_unwind(oracle_unwinder, context, 0, frames, ORACLE_FRAMES, &outcome);
  for (uint32_t i = 0; i < count; i++) {
    const struct sp_module *module = sp_module_by_number(frames[i].module);
    if (module == NULL || strcmp(module->path, expected) != 0) continue;
    number = frames[i].module;
    return;
  }
  printf("unload: no frame in %s\n", expected);
  failed = 1;
}

static int callback(void *argument) {
  (void)argument;
  return raise(SIGUSR1);
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  oracle_begin(argc, argv);
  if (argc < 3) return 3;
  struct sigaction action = {.sa_sigaction = on_user, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &action, NULL);
  uintptr_t last_address = 0;
  uint32_t last_number = 0;
  long same_address = 0, told = 0, rounds = 200, again = 100;
  for (int i = 3; i < argc; i++) // how often the maps are read is limited
    if (strcmp(argv[i], "--maps") == 0) rounds = 20, again = 20;
  struct sp_reader *reader = sp_unwinder_reader(oracle_unwinder);
  for (long i = 0; i < rounds && !failed; i++) {
    expected = argv[1 + i % 2];
    void *handle = dlopen(expected, RTLD_NOW);
    if (handle == NULL) return printf("%s\n", dlerror()), 3;
    int (*call)(int (*)(void *), void *) = (int (*)(int (*)(void *), void *))dlsym(handle, "plugin_call");
    call(callback, NULL);
    same_address += last_address == (uintptr_t)call;
    if (last_number == number) failed = 1, printf("unload: number %u twice\n", number);
    call(callback, NULL); // from what was kept
    last_address = (uintptr_t)call;
    last_number = number;
    dlclose(handle);
    for (int n = 0; n < 200; n++) {
      uint32_t gone = sp_modules_sweep(reader);
      if (gone == 0) continue;
      told++;
      struct sp_module *module = sp_module_by_number(gone);
      if (module == NULL || !atomic_load(&module->gone)) failed = 1, printf("unload: %u is not gone\n", gone);
    }
  }
  // Without a sweep in between, and the same library again: it may keep its number, the other may not.
  for (int i = 0; i < again && !failed; i++) {
    expected = argv[1 + i / 2 % 2];
    void *handle = dlopen(expected, RTLD_NOW);
    int (*call)(int (*)(void *), void *) = (int (*)(int (*)(void *), void *))dlsym(handle, "plugin_call");
    call(callback, NULL);
    dlclose(handle);
  }
  printf("unload: %ld rounds, %ld at the same address, %ld told to be gone\n", rounds, same_address, told);
  int result = oracle_end("unload", 2 * rounds + again);
  return failed || told < rounds || same_address < rounds / 2 ? 1 : result;
}
