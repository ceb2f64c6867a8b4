// Code without call frame information: compiled so (frame_pointers_code.c), and made at run time. The truth is what each
// function says that it returns to.
#define _GNU_SOURCE
#include <sys/time.h>

#include "oracle.h"

#include "modules.h"
#include "statprof_trace.h"

uintptr_t truth[64];
unsigned truth_count;
volatile int released;
int chain_recurse(int depth, int (*function)(void));

static int engine, failed, walks;
static uint32_t anonymous;

static void fail(const char *what, const struct sp_frame *frames, uint32_t count, int outcome) {
  printf("frame pointers: %s, engine %d, outcome %d\n", what, engine, outcome);
  for (uint32_t i = 0; i < count; i++) printf("  %016lx\n", (unsigned long)frames[i].address);
  for (unsigned i = truth_count; i-- > 0;) printf("  truth %016lx\n", (unsigned long)truth[i]);
  failed = 1;
}

static void on_signal(int number, siginfo_t *info, void *context) {
  (void)number, (void)info;
  static struct sp_frame frames[ORACLE_FRAMES];
  uint8_t outcome;
  uint32_t count = sp_unwind(oracle_unwinder, context, engine, frames, ORACLE_FRAMES, &outcome), at = 0;
  walks++;
  released = 1;
  if (truth_count == 0) return;
  if (engine == SP_UNWIND_CFI) { // stops where the information does
    if (outcome != SP_OUTCOME_NO_CFI) fail("an outcome that is wrong", frames, count, outcome);
    return;
  }
  while (at < count && frames[at].address != truth[truth_count - 1]) at++;
  if (at > 4) fail("frames that are not there", frames, count, outcome);
  for (unsigned i = truth_count; i-- > 0; at++)
    if (at >= count || frames[at].address != truth[i] || frames[at].kind != SP_FRAME_RETURN)
      return fail("a frame is missing", frames, count, outcome);
  if (engine == SP_UNWIND_AUTO && outcome != SP_OUTCOME_COMPLETE) fail("not complete", frames, count, outcome);
  for (uint32_t i = 0; i < count; i++) {
    const struct sp_module *module = sp_module_by_number(frames[i].module);
    if (module == NULL) return fail("a frame without module", frames, count, outcome);
    if (!(module->flags & SP_MAPPING_ANONYMOUS)) continue;
    if (strcmp(module->path, "[anonymous]") != 0 || frames[i].address < module->start || frames[i].address >= module->end)
      fail("not the made code's module", frames, count, outcome);
    anonymous = module->number;
  }
}

static int raises(void) { return raise(SIGUSR1); }

static int (*made)(int (*)(void));
static int calls_made(void) { return made(raises); }

int main(int argc, char **argv) {
  oracle_begin(argc, argv);
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(SIGUSR1, &action, NULL);
  sigaction(SIGALRM, &action, NULL);

  struct sp_unwinder *const unwinders[] = {oracle_new_unwinder(), oracle_new_unwinder(), oracle_new_unwinder()};

  static const struct {
    uint8_t size, code[12];
  } codes[] = {
      {8, {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3}},                            // push %rbp; mov %rsp,%rbp; call *%rdi; pop %rbp; ret
      {11, {0x48, 0x83, 0xec, 0x08, 0xff, 0xd7, 0x48, 0x83, 0xc4, 0x08, 0xc3}},         // sub $8,%rsp; call *%rdi; add $8,%rsp; ret: CPython's
      {7, {0x55, 0x31, 0xed, 0xff, 0xd7, 0x5d, 0xc3}},                                  // push %rbp; xor %ebp,%ebp; call *%rdi; pop %rbp; ret
  };
  const int code_count = sizeof codes / sizeof *codes;
  size_t size = 65536;
  uint8_t *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < code_count; i++) memcpy(memory + 256 * (i + 1), codes[i].code, codes[i].size);
  mprotect(memory, 4096, PROT_READ | PROT_EXEC);

  // Within a call of libc's, which has information and no frame pointers: only the automatic engine gets through that.
  int const engines[] = {SP_UNWIND_AUTO, SP_UNWIND_FP, SP_UNWIND_CFI};
  for (int e = 0; e < 3; e++) {
    engine = engines[e];
    oracle_unwinder = unwinders[e]; // one is for one engine
    for (int depth = 0; depth < 30; depth += 7) {
      truth_count = 0;
      if (engine != SP_UNWIND_FP) {
        chain_recurse(depth, raises);
        truth_count = 0;
        for (int i = 0; engine == SP_UNWIND_AUTO && i < code_count; i++) {
          made = (int (*)(int (*)(void)))(uintptr_t)(memory + 256 * (i + 1));
          truth_count = 0;
          chain_recurse(depth, calls_made);
        }
      }
      truth_count = 0;
      released = 0;
      struct itimerval soon = {{0, 0}, {0, 2000}};
      setitimer(ITIMER_REAL, &soon, NULL);
      chain_recurse(depth, NULL);
    }
  }
  if (anonymous == 0) failed = 1, printf("frame pointers: the made code was not seen\n");
  truth_count = 0;
  munmap(memory, size);
  uint32_t gone = 0;
  for (int i = 0; i < 200 && gone != anonymous; i++) gone = sp_modules_sweep(sp_unwinder_reader(oracle_unwinder));
  if (gone != anonymous) failed = 1, printf("frame pointers: module %u was not seen to go\n", anonymous);
  printf("frame pointers: %d walks\n", walks);
  return failed || walks < 20;
}
