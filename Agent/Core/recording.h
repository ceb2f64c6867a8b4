// Recording switched on and off by the program (the C API), and what is said once a process.
//
// CPU used while recording is stopped is measured, not guessed: statprof_stop() notes every thread's CPU clock,
// statprof_start() adds what each used since to its slot's `excluded`, which the thread's next weight leaves out.
#ifndef SP_RECORDING_H
#define SP_RECORDING_H

#include <stdbool.h>
#include <stdint.h>

#include "record_writer.h"
#include "thread_slots.h"

// The C API, docs in statprof.h. Called by the program, never by the handler.
void sp_recording_start(void);
void sp_recording_stop(void);
void sp_recording_reset(uint32_t frequency);
bool sp_recording_active(void);
void sp_recording_mark(const char *name);

// Of a running thread: the CPU time on its clock and, of that, what is not shown because recording was stopped; nanoseconds.
void sp_recording_cpu(struct sp_slot *slot, uint64_t *cpu, uint64_t *stopped);

// By the thread whose sample is the first of the process: what was run, and the marks that were set before. Does nothing the second time.
void sp_recording_introduce(struct sp_writer *writer, uint64_t now);

// In a forked child.
void sp_recording_forked(void);

#endif
