// The agent as the preloaded library (Agent/Preload) sees it. The modules' own headers lie beside their sources.
#ifndef SP_AGENT_CORE_H
#define SP_AGENT_CORE_H

#include "../lifecycle.h"
#include "../memory_reader.h"
#include "../message.h"
#include "../modules.h"
#include "../private_memory.h"
#include "../program_signals.h"
#include "../raw_syscall.h"
#include "../recording.h"
#include "../sandbox.h"
#include "../session.h"
#include "../signal_set.h"
#include "../thread_slots.h"

#endif
