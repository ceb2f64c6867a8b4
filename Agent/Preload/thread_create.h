// pthread_create and thrd_create, so that every thread has its slot and timer from its first instruction on.
#ifndef SP_THREAD_CREATE_H
#define SP_THREAD_CREATE_H

// At load, in a process that is profiled.
void sp_thread_create_load(void);

#endif
