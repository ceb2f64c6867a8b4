// The name of the trace file: STATPROF_OUT's pattern, expanded, and never one that is taken.
#ifndef SP_OUTPUT_NAME_H
#define SP_OUTPUT_NAME_H

#include <stdbool.h>
#include <stdint.h>

#define SP_OUTPUT_PATH_MAX 4096

// Whether a pattern names every process differently by itself (it has a %p).
bool sp_output_pattern_has_pid(const char *pattern);

// Makes a new, empty file by the pattern and puts its name in `path` (SP_OUTPUT_PATH_MAX bytes). Follows no symbolic
// link and opens no file that exists for writing. Returns a descriptor, or -errno, with a `reason` in words where -errno says too little.
// Async-signal-safe.
long sp_output_open(char *path, const char **reason);

#endif
