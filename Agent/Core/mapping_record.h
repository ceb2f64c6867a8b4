// What the trace says of a module: written once a process, by the thread whose stack first needs it.
#ifndef SP_MAPPING_RECORD_H
#define SP_MAPPING_RECORD_H

#include "modules.h"
#include "record_writer.h"

// Writes the record of `module` unless it stands in the trace. 0, or the reason + 1 (enum sp_loss) why it could not be written.
// Async-signal-safe.
uint32_t sp_mapping_record(struct sp_writer *writer, struct sp_module *module, uint64_t now);

// Writes that the module of `number` was seen to be gone, if it stands in the trace.
void sp_mapping_end_record(struct sp_writer *writer, uint32_t number, uint64_t now);

#endif
