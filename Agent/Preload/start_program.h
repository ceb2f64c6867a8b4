// posix_spawn, posix_spawnp, system and popen, whose children are to inherit what the program has made of SIGPROF.
#ifndef SP_START_PROGRAM_H
#define SP_START_PROGRAM_H

// At load, in a process that is profiled.
void sp_start_program_load(void);

#endif
