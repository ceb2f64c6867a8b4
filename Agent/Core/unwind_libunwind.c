#define _GNU_SOURCE
#include "unwind_libunwind.h"

#include <dlfcn.h>

#include "private_memory.h"
#include "unwind_internal.h"

#pragma weak getcontext // another C library lacks it

// What is used of libunwind's interface, declared here: building the agent takes none of its headers.
#if defined(__x86_64__)
#define LIBRARY_NAME(prefix, name) prefix "x86_64_" name
#define REGISTER_IP 16 // UNW_REG_IP
#elif defined(__aarch64__)
#define LIBRARY_NAME(prefix, name) prefix "aarch64_" name
#define REGISTER_IP 30
#endif
#define CURSOR_WORDS 256    // 127 on x86-64, 250 on aarch64
#define INIT_SIGNAL_FRAME 1 // UNW_INIT_SIGNAL_FRAME

enum { // of its error codes, which come negative
  ERROR_INVALID_IP = 6,
  ERROR_BAD_FRAME = 7,
  ERROR_BAD_VERSION = 9,
  ERROR_NO_INFO = 10,
};

// Written at load only.
static int (*init_local2)(void *cursor, void *context, int flags);
static int (*step)(void *cursor);
static int (*get_reg)(void *cursor, int number, uintptr_t *value);
static void (*flush_cache)(void *space, uintptr_t low, uintptr_t high);
static void **local_space;

static _Atomic uint32_t newest_module SP_HOT; // the highest number that a walk has met
static __thread bool walks;

// Walks the caller's own stack, so that what libunwind does once is done.
static void warm_up(void) {
  uint64_t cursor[CURSOR_WORDS];
  ucontext_t context;
  if (getcontext(&context) != 0 || init_local2(cursor, &context, 0) != 0) return;
  for (unsigned n = 0; n < SP_MAX_FRAMES && step(cursor) > 0; n++) continue;
}

const char *sp_libunwind_load(void) {
  void *library = dlopen(SP_LIBUNWIND_FILE, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) return dlerror();
  *(void **)&init_local2 = dlsym(library, LIBRARY_NAME("_UL", "init_local2"));
  *(void **)&step = dlsym(library, LIBRARY_NAME("_UL", "step"));
  *(void **)&get_reg = dlsym(library, LIBRARY_NAME("_UL", "get_reg"));
  *(void **)&flush_cache = dlsym(library, LIBRARY_NAME("_U", "flush_cache"));
  local_space = dlsym(library, LIBRARY_NAME("_UL", "local_addr_space"));
  if (init_local2 == NULL || step == NULL || get_reg == NULL || flush_cache == NULL || local_space == NULL)
    return SP_LIBUNWIND_FILE ": it lacks what is needed of it";
  warm_up();
  return NULL;
}

// Whether a signal handler returns to this address: its caller was interrupted, it did not call.
static bool is_trampoline(struct sp_unwinder *u, const struct sp_module *module, uintptr_t address) {
  uint8_t code[SP_CODE_BEFORE + SP_CODE_AFTER];
  return module != NULL && sp_read_code(u, module, address, code) && sp_machine_is_sigreturn(code);
}

// Whether the module's tables say that the frame has no caller.
static bool is_outermost(struct sp_unwinder *u, const struct sp_module *module, uintptr_t address, uint8_t kind) {
  struct sp_registers state = {.kind = kind};
  state.registers[SP_REG_RA] = address;
  return module != NULL && module->eh_frame_hdr != 0 && sp_step_cfi(u, module, &state) == SP_STEP_END;
}

// What a walk ended with that libunwind had enough of.
static uint8_t outcome_of(int result) {
  switch (-result) {
  case ERROR_INVALID_IP: return SP_OUTCOME_NO_MODULE;
  case ERROR_BAD_VERSION: return SP_OUTCOME_BAD_CFI;
  case ERROR_NO_INFO:
  case 0: return SP_OUTCOME_NO_CFI;
  case ERROR_BAD_FRAME:
  default: return SP_OUTCOME_BAD_STACK;
  }
}

// Notes the module's number. True: it was not met before, and libunwind may still have the rules of what was at its place.
static bool is_news(const struct sp_module *module) {
  uint32_t newest = atomic_load_explicit(&newest_module, memory_order_relaxed);
  while (module != NULL && module->number > newest)
    if (atomic_compare_exchange_weak(&newest_module, &newest, module->number)) return true;
  return false;
}

// One walk. Returns the number of frames; sets `news` if a module was met for the first time.
static uint32_t walk(struct sp_unwinder *u, const ucontext_t *context, struct sp_frame *frames, uint32_t capacity, uint8_t *outcome,
                     bool *news) {
  uint64_t cursor[CURSOR_WORDS];
  uint32_t count = 0;
  uintptr_t address = 0;
  uint8_t kind = SP_FRAME_INSTRUCTION;
  int result = init_local2(cursor, (void *)context, INIT_SIGNAL_FRAME);
  if (result == 0) result = get_reg(cursor, REGISTER_IP, &address);
  *outcome = result < 0 ? outcome_of(result) : SP_OUTCOME_DEPTH;
  for (unsigned steps = 0; result >= 0 && steps < 2 * SP_MAX_FRAMES; steps++) {
    const struct sp_module *module = sp_module_find(&u->reader, address - (kind == SP_FRAME_RETURN));
    *news |= is_news(module);
    if (module == NULL && steps > 0) { // a stray word of the stack
      *outcome = SP_OUTCOME_NO_MODULE;
      break;
    }
    if (!sp_modules_ignored(address)) {
      if (count == capacity) break;
      frames[count++] = (struct sp_frame){.address = address, .module = module == NULL ? 0 : module->number, .kind = kind};
    }
    uintptr_t next = 0;
    result = step(cursor);
    if (result > 0 && get_reg(cursor, REGISTER_IP, &next) < 0) next = 0;
    if (next == 0) {
      *outcome = is_outermost(u, module, address, kind) ? SP_OUTCOME_COMPLETE
                 : module == NULL                       ? SP_OUTCOME_NO_MODULE
                                                        : outcome_of(result < 0 ? result : 0);
      break;
    }
    kind = is_trampoline(u, module, address) ? SP_FRAME_INSTRUCTION : SP_FRAME_RETURN;
    address = next;
  }
  return count;
}

uint32_t sp_unwind_libunwind(struct sp_unwinder *u, const ucontext_t *context, struct sp_frame *frames, uint32_t capacity,
                             uint8_t *outcome) {
  bool news = false;
  sp_reader_begin(&u->reader);
  sp_rows_begin(u);
  walks = true;
  uint32_t count = walk(u, context, frames, capacity, outcome, &news);
  if (news) {
    flush_cache(*local_space, 0, 0);
    count = walk(u, context, frames, capacity, outcome, &news);
  }
  walks = false;
  if (count > 0) return count;
  uintptr_t registers[SP_REGISTERS]; // the agent and nothing else
  sp_machine_registers(context, registers);
  const struct sp_module *module = sp_module_find(&u->reader, registers[SP_REG_RA]);
  frames[0] = (struct sp_frame){.address = registers[SP_REG_RA], .module = module == NULL ? 0 : module->number};
  return 1;
}

bool sp_libunwind_walks(void) { return walks; }

void sp_libunwind_forked(void) { atomic_store_explicit(&newest_module, 0, memory_order_relaxed); }
