// Writes samples into a trace (SP_RECORD_SAMPLE): a few bytes each, as the difference to what the chunk has. Async-signal-safe.
#ifndef SP_SAMPLE_WRITER_H
#define SP_SAMPLE_WRITER_H

#include <stdint.h>

#include "record_writer.h"

struct sp_sample {
  uint64_t time, weight; // microseconds
  uint32_t stack;        // number of its innermost node, 0: none
  uint32_t overruns;     // timer expiries that were folded into it
  uint8_t outcome;       // enum sp_outcome
  uint8_t kind;          // enum sp_sample_kind, and enum sp_clock << 4
};

// 0, or the reason + 1 (enum sp_loss) why it could not be written.
uint32_t sp_sample_write(struct sp_writer *writer, const struct sp_sample *sample);

#endif
