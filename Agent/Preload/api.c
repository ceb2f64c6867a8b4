// The C API of dist/statprof.h.
#define STATPROF_API __attribute__((visibility("default")))
#include "statprof.h"

#include "agent_core.h"

void statprof_start(void) { sp_recording_start(); }
void statprof_stop(void) { sp_recording_stop(); }
void statprof_reset(uint32_t frequency_hz) { sp_recording_reset(frequency_hz); }
int statprof_is_active(void) { return sp_recording_active(); }
void statprof_mark(const char *name) { sp_recording_mark(name); }
