// The few lines that the agent may write to stderr.
//
// Async-signal-safe. Nothing is written once descriptor 2 is not what it was at load: it may have become one of the
// program's own files. Nor is anything where the writing would wait.
#ifndef SP_MESSAGE_H
#define SP_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#define SP_NUMBER_MAX 21

// Remembers what descriptor 2 is. Called once at load, before any message.
void sp_message_init(void);

// Writes "statprof: " and the parts as one line of at most 1023 bytes, in one write. Control characters become '?'.
void sp_message(const char *const *parts, size_t count);

// Writes `number` in decimal and NUL to `buffer`, which holds SP_NUMBER_MAX bytes; returns `buffer`.
char *sp_decimal(char *buffer, uint64_t number);

// The English for an errno that opening or growing a file may give; its number in `buffer` for others.
const char *sp_error_text(int error, char *buffer);

#endif
