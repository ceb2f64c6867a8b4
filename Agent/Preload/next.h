// The function behind one that is interposed: the C library's, or another preloaded library's.
#ifndef SP_NEXT_H
#define SP_NEXT_H

#include <stdatomic.h>

// Finds the function of a name at the first call and keeps it in `*kept`. Takes no lock: a child that was forked while another thread
// loaded a library would wait for ever. (But the loader's where the tables are of another form than glibc's.) NULL: there is none.
void *sp_next(_Atomic(void *) *kept, const char *name);

#endif
