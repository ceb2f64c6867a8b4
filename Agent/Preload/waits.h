// The calls of waits.c, looked up.
#ifndef SP_WAITS_H
#define SP_WAITS_H

// At load.
void sp_waits_load(void);

#endif
