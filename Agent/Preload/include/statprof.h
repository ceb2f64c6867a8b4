// statprof's C API: a program says what of it is to be profiled.
//
// Every function is declared weak, so that a program built against this header also runs where the library is not preloaded:
// there each of them is NULL, so test it before a call, as in `if (statprof_mark) statprof_mark("loaded");`. All may be called from
// any thread; a call from a signal handler that interrupted another one is left out and counted.
#ifndef STATPROF_H
#define STATPROF_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef STATPROF_API
#define STATPROF_API __attribute__((weak))
#endif

// Starts recording. Starts and stops nest: recording goes on while there were more starts than stops. A program that was
// started with STATPROF_START=1 (the default) has been started once at load.
STATPROF_API void statprof_start(void);

// Takes one statprof_start() back. What the program does from then on is not in the profile, and neither is the CPU time it takes.
STATPROF_API void statprof_stop(void);

// Forgets what was recorded so far, and sets the rate: samples per CPU second and thread, 1 to 10000; 0 keeps it.
STATPROF_API void statprof_reset(uint32_t frequency_hz);

// Whether recording goes on: 1 or 0.
STATPROF_API int statprof_is_active(void);

// Gives a name to this moment, which reports show on their time line.
STATPROF_API void statprof_mark(const char *name);

#ifdef __cplusplus
}
#endif

#endif
