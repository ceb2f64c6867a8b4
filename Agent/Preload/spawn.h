// posix_spawn, posix_spawnp, system and popen, whose children are to inherit what the program has made of SIGPROF.
#ifndef SP_SPAWN_H
#define SP_SPAWN_H

// At load, in a process that is profiled.
void sp_spawn_load(void);

#endif
