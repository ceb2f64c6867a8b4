// The C library's own function behind one that is interposed.
#ifndef SP_NEXT_H
#define SP_NEXT_H

#include <stdatomic.h>

// Finds the function of a name at the first call and keeps it in `*kept`. Takes the loader's lock.
void *sp_next(_Atomic(void *) *kept, const char *name);

#endif
