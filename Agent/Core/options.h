// The STATPROF_* variables. Read once at load, by the thread that loads the agent; constant afterwards.
#ifndef SP_OPTIONS_H
#define SP_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#define SP_PATTERN_MAX 2048

struct sp_options {
  bool enabled;       // STATPROF
  bool children;      // STATPROF_CHILDREN
  bool start;         // STATPROF_START
  bool arguments;     // STATPROF_ARGS
  bool log;           // STATPROF_LOG
  uint32_t frequency; // STATPROF_FREQUENCY, 1 to 10000
  uint8_t clock;      // STATPROF_CLOCK, enum sp_clock
  uint8_t unwind;     // STATPROF_UNWIND, enum sp_unwind_engine
  uint64_t max_size;  // STATPROF_MAX_SIZE, bytes
  const char *out;    // STATPROF_OUT as it stands in the environment, NULL: not set
  const char *session; // STATPROF_SESSION likewise
};

// Reads `environment`. A value that makes no sense leaves the default, and costs the run's first process one line on stderr.
void sp_options_read(struct sp_options *options, char **environment);

#endif
