// Recording switched on and off by the program: the C API.
//
// CPU used while recording is stopped is measured, not guessed: statprof_stop() notes every thread's CPU clock,
// statprof_start() adds what each used since to its slot's `excluded`, which the thread's next weight leaves out.
#ifndef SP_RECORDING_H
#define SP_RECORDING_H

#include <stdbool.h>
#include <stdint.h>

// The C API, docs in statprof.h. Called by the program, never by the handler.
void sp_recording_start(void);
void sp_recording_stop(void);
void sp_recording_reset(uint32_t frequency);
bool sp_recording_active(void);
void sp_recording_mark(const char *name);

#endif
