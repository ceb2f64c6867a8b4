// SwiftPM wants a C target to have a source; the format itself is the header.
#include "statprof_trace.h"
