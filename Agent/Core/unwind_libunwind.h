// The other engine: libunwind, where the user asks for it (STATPROF_UNWIND=libunwind).
//
// It is not what the rest of the unwinder is. It takes locks in the handler (the loader's, and its own around its cache), keeps
// two descriptors open, loads from memory that it believes to be there, and lives as long as the process. It is loaded
// privately, so that the program's exceptions never see it, and only when asked for. State: what was looked up in it at load,
// the newest module that a walk has met, and whether the calling thread is in one.
#ifndef SP_UNWIND_LIBUNWIND_H
#define SP_UNWIND_LIBUNWIND_H

#include <stdbool.h>

#include "stack_unwind.h"

#define SP_LIBUNWIND_FILE "libunwind.so.8"

// At load: loads the library and has it do what it does at first use. NULL, or why it cannot be had, valid until the calling
// thread's next use of dlopen() or dlsym(). Allocates; not for a handler.
const char *sp_libunwind_load(void);

// Whether the calling thread is in a walk. It blocks all signals around its locks, by the C library's functions and so by those of this
// library that stand before them: a mask changed meanwhile is the handler's, in which SIGPROF must stay blocked, and none of the program's.
bool sp_libunwind_walks(void);

// In a forked child, where modules have other numbers.
void sp_libunwind_forked(void);

// As sp_unwind. An end that libunwind gives is taken for complete where the module's own tables say that the last frame has no
// caller; libunwind itself does not tell that from having lost its way. Must not be called unless the load went well.
uint32_t sp_unwind_libunwind(struct sp_unwinder *unwinder, const ucontext_t *context, struct sp_frame *frames, uint32_t capacity,
                             uint8_t *outcome);

#endif
