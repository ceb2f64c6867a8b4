#ifndef SP_VERSION_H
#define SP_VERSION_H

#define SP_AGENT_VERSION "0.1.0"

// ELF e_machine of the program.
#if defined(__x86_64__)
#define SP_MACHINE 62
#elif defined(__aarch64__)
#define SP_MACHINE 183
#else
#error "not ported to this machine"
#endif

#endif
