// A set of signals as the bits that the kernel keeps: without calls, which the loader would bind in every process.
#ifndef SP_SIGNAL_SET_H
#define SP_SIGNAL_SET_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

// Whether a program may name the signal; two are the C library's own.
static inline bool sp_is_signal(int number) { return number >= 1 && number < NSIG && number != 32 && number != 33; }

static inline void sp_set_clear(sigset_t *set) { memset(set, 0, sizeof *set); }
static inline void sp_set_add(sigset_t *set, int number) { *(uint64_t *)set |= 1ull << (number - 1); }
static inline void sp_set_remove(sigset_t *set, int number) { *(uint64_t *)set &= ~(1ull << (number - 1)); }
static inline bool sp_set_has(const sigset_t *set, int number) { return *(const uint64_t *)set >> (number - 1) & 1; }

#endif
