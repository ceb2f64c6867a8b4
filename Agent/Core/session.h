// The run that a process belongs to, carried by STATPROF_SESSION from process to process:
//
//     <32 hexadecimal digits: random id>:<first process>[.<process>.<images>]:<output pattern, absolute>
//
// `first process` is a process id; 0 (from the launcher) means whoever reads it first. `process` has exec'd and had
// `images` images with a trace in the run before. A value that begins with `-` is no run: nothing is to be done. Memory: the text twice, and room for an environment of a few hundred variables, in .bss.
#ifndef SP_SESSION_H
#define SP_SESSION_H

#include <stdbool.h>

// At load: joins the run of the environment, or begins one, and makes sure that further processes learn of it.
// False: this process is not to be profiled (STATPROF_CHILDREN=0), or there is no place to profile to.
bool sp_session_join(void);

// Before an exec: the variable with word for the new image of this process, to stand in its environment instead of
// the entry that sp_session_is_variable finds. `recorded`: this image has a trace.
const char *sp_session_exec(bool recorded);
// An entry that cannot be read is not it.
bool sp_session_is_variable(const char *entry);

// Tells all further images, by the environment as it is, that they are not to be profiled: what the program has given up would end them.
// They look at the value before they make any system call. False: takes it back.
#define SP_SESSION_OFF '-'
void sp_session_off(bool off);

#endif
