// The statprof trace format, version 1: the only thing that the agent (C) and the analyzer
// (Swift) share. docs/trace-format.md is its page, with a worked example in bytes.
//
// Everything is little-endian. A trace is a file header of SP_HEADER_SIZE bytes, then chunks, each
// aligned to SP_CHUNK_ALIGNMENT and a multiple of it long. A chunk belongs to one writer (a thread
// of the process) and holds records. Any prefix of a trace and any trace with a damaged middle still
// gives every whole chunk, and of an open chunk everything up to its committed length.
//
// "varint" is unsigned LEB128, at most 10 bytes and 64 bits. CRC-32C is RFC 3720's (of "123456789" 0xe3069283).
// Times are microseconds of CLOCK_MONOTONIC since `load_monotonic_ns` unless a name says otherwise; CPU times and
// weights are microseconds.
#ifndef STATPROF_TRACE_H
#define STATPROF_TRACE_H

#include <stdint.h>

#define SP_TRACE_VERSION 1
#define SP_READER_VERSION_MIN 1
#define SP_HEADER_SIZE 4096
#define SP_LIVE_OFFSET 2048
#define SP_CHUNK_ALIGNMENT 4096
#define SP_CHUNK_HEADER_SIZE 64
#define SP_CHUNK_MAGIC 0x4b435053u // "SPCK"

// 0x89 and the line ends show a file that was sent through a text channel.
#define SP_TRACE_MAGIC "\x89SPROF\r\n"
#define SP_TRACE_MAGIC_SIZE 8

// Feature bits of the file header. A reader ignores bits that it does not know: what it must know
// raises reader_version_min instead.
enum sp_feature {
  SP_FEATURE_ARGUMENTS = 1u << 0,     // the command line is in the trace
  SP_FEATURE_THREAD_TIMERS = 1u << 1, // a CPU-time timer per thread was in use
};

enum sp_clock {
  SP_CLOCK_AUTO = 0,
  SP_CLOCK_ITIMER = 1, // setitimer(ITIMER_PROF)
  SP_CLOCK_THREAD = 2, // timer_create on each thread's CPU clock
  SP_CLOCK_PERF = 3,   // perf_event task clock
};

enum sp_unwind_engine {
  SP_UNWIND_AUTO = 0, // CFI, frame pointers where code has none
  SP_UNWIND_CFI = 1,
  SP_UNWIND_FP = 2,
  SP_UNWIND_LIBUNWIND = 3,
};

// The file header, at offset 0. Written once, when the file is made; `checksum` (CRC-32C) covers
// the bytes before it. These 184 bytes keep their place and their checksum in every later version; what is
// between them and the live block is zero.
struct sp_file_header {
  char magic[SP_TRACE_MAGIC_SIZE];
  uint16_t version;            // SP_TRACE_VERSION of the writer
  uint16_t reader_version_min; // a reader of an older version must refuse the file
  uint32_t header_size;        // SP_HEADER_SIZE; the first chunk is there
  uint64_t features;           // enum sp_feature
  uint16_t machine;            // ELF e_machine: 62 x86-64, 183 aarch64
  uint16_t exec_generation;    // process images of this process id that belong to the run, before this one
  uint32_t page_size;
  char agent_version[16];      // NUL-padded
  uint8_t trace_id[16];        // random
  uint8_t session_id[16];      // random, one for all processes of a run
  uint8_t boot_id[16];         // /proc/sys/kernel/random/boot_id; zero if unknown
  uint32_t pid;                // in the process's own namespace
  uint32_t parent_pid;
  uint64_t pid_namespace;      // inode of /proc/self/ns/pid; 0 if unknown
  uint64_t start_time_ticks;   // /proc/self/stat field 22: clock ticks after boot; 0 if unknown
  uint64_t parent_start_time_ticks;
  uint32_t first_pid;          // the run's first process
  uint32_t frequency;          // samples per CPU second and thread that were asked for
  uint8_t clock_asked;         // enum sp_clock
  uint8_t unwind_asked;        // enum sp_unwind_engine
  uint16_t cpu_count;          // processors on line; 0 if unknown
  uint32_t tick_ns;            // the kernel's tick, the least distance of two CPU-timer signals
  uint64_t load_monotonic_ns;  // CLOCK_MONOTONIC when the agent was loaded (or the process forked)
  uint64_t load_realtime_ns;   // CLOCK_REALTIME at the same moment, by how far the two are apart when the file is made
  uint64_t process_cpu_at_load_ns; // CPU clock of the process at that moment: its earlier images, and the loader; 0 in a forked process
  uint64_t thread_cpu_at_load_ns;  // CPU clock of the thread that loaded it, at that moment; likewise
  uint32_t load_tid;               // that thread
  uint32_t checksum;
};

// How the process ended, as far as the agent was told. A kill cannot be told.
enum sp_end {
  SP_END_NONE = 0,    // still running, or killed
  SP_END_EXIT = 1,    // exit() or return from main
  SP_END__EXIT = 2,   // _exit(), quick_exit()
  SP_END_EXEC = 3,    // replaced by another program
};

// Why samples, or bytes, are missing. `count` is in samples unless said otherwise.
enum sp_loss {
  SP_LOSS_NO_SPACE = 0,    // the file could not grow: disk full, file-size limit, quota
  SP_LOSS_NO_FILE = 1,     // the file could not be opened again (chroot, dropped privileges, descriptors used up)
  SP_LOSS_MAX_SIZE = 2,    // STATPROF_MAX_SIZE was reached
  SP_LOSS_NO_MEMORY = 3,   // no memory for a thread's tables
  SP_LOSS_BUSY = 4,        // the tick came while the agent itself was at work in this thread
  SP_LOSS_STACK_TABLE = 5, // the stack is not kept, the sample is: the thread's table of stacks is full
  SP_LOSS_THREADS = 6,     // more threads than the agent can watch: such a thread is not sampled
  SP_LOSS_TIMER = 7,       // timers that could not be had (count: threads)
  SP_LOSS_REASONS = 8,
};

// The live block, at SP_LIVE_OFFSET: the only bytes of a trace that change after they were written.
// Each field is stored whole by itself; there is no checksum.
struct sp_live {
  uint32_t end;        // enum sp_end
  uint32_t end_status; // exit status when `end` is SP_END__EXIT, else 0
  uint64_t end_time;
  uint64_t process_cpu;  // CPU clock of the process, microseconds, when last looked at: by each new chunk and at the end
  uint64_t process_time; // when that was
  uint64_t stopped_cpu;  // of it: between statprof_stop() and statprof_start(), by the same threads' clocks
  uint64_t file_size;    // bytes given to chunks, the header included
  struct sp_lost {
    uint64_t count;
    uint64_t cpu; // microseconds that those samples stood for; 0 where the next sample carries them
  } lost[SP_LOSS_REASONS]; // what no thread could write as a record
};

enum sp_chunk_kind {
  SP_CHUNK_RECORDS = 1,
  SP_CHUNK_SYMBOLS = 2, // reserved: sections for embedded symbols
  SP_CHUNK_INDEX = 3,   // reserved
};

// A chunk's header. `checksum` (CRC-32C) covers the bytes before it.
struct sp_chunk_header {
  uint32_t magic; // SP_CHUNK_MAGIC
  uint16_t kind;  // enum sp_chunk_kind
  uint16_t header_size;
  uint32_t size;       // of the whole chunk, a multiple of SP_CHUNK_ALIGNMENT
  uint32_t writer;     // number of the writer within the trace, from 1; one thread, never used again
  uint32_t sequence;   // of this writer, from 0
  uint32_t tid;        // the writer's thread id; 0: records that threads write in turn, no samples or nodes
  uint32_t first_node; // number (from 1) that the first SP_RECORD_PATH of this chunk begins with; never one that was given before
  uint32_t period;     // of the thread's timer when the chunk was begun, nanoseconds; 0: it has none. Predicts overruns
  uint64_t base_time;   // time that the first sample's distance counts from
  uint64_t trace_tag;   // first 8 bytes of trace_id
  uint32_t checksum;
  uint32_t agent_us;    // changes: the agent's own time in this thread while this chunk was open, microseconds
  uint64_t committed;   // changes, stored last and whole: low half payload bytes, high half CRC-32C of those bytes
};

// ---- Records. A record starts with a tag byte.
//
// 0x80..0xff  a sample: low bits are the low SP_SAMPLE_LOW_BITS bits of its stack's number, and enum sp_sample_flag. Fields, in this order:
//               varint stack      if SP_SAMPLE_STACK; the number's other bits. Else as in the sample before it in the chunk whose number has
//                                 the same low bits, 0 for the first. The number is the innermost node's, 0: no stack
//               varint time       distance from the sample before it in the chunk (or base_time), minus the weight, in zigzag form
//               varint weight     what the sample stands for, minus the weight of the sample before it in the chunk (0 for the
//                                 first), in zigzag form
//               u8 more           if SP_SAMPLE_MORE; low nibble enum sp_sample_more, high nibble enum sp_outcome. Else 0
//               varint overruns   if SP_MORE_OVERRUNS; timer expiries that were folded into this one. Else as many as predicted
//               u8 kind           if SP_MORE_KIND; low nibble enum sp_sample_kind, high nibble enum sp_clock.
//                                 Else as in the sample before it in the chunk; SP_KIND_CPU, SP_CLOCK_ITIMER for the first
//             Predicted overruns: a timer of the chunk's period, nanoseconds, expires once for each whole period in what is left over plus
//             the weight; all but one of these expiries are overruns, of none none. Left over is then what is more than the expiries that there
//             were (overruns + 1): not less than 0, below a period, 0 at the start of a chunk. Without a period none are predicted.
// 0x40..0x7f  compact records of fixed form; only SP_RECORD_PATH so far. A reader cannot skip another one: to write
//             one, or a new flag of a sample, is to raise reader_version_min.
// 0x01..0x3f  varint length, then so many bytes: a reader skips the kinds, and the trailing bytes, that it does not know.
// 0x00        is not a record.
// Zigzag form: 0, -1, 1, -2, ... are 0, 1, 2, 3, ...; numbers are modulo 2^64.
#define SP_SAMPLE_LOW_BITS 5

enum sp_sample_flag {
  SP_RECORD_SAMPLE = 0x80,
  SP_SAMPLE_MORE = 0x40,
  SP_SAMPLE_STACK = 0x20,
};

enum sp_sample_more {
  SP_MORE_OVERRUNS = 0x01,
  SP_MORE_KIND = 0x02,
};

enum sp_sample_kind {
  SP_KIND_CPU = 0,
  SP_KIND_OFF_CPU = 1, // reserved
  SP_KIND_WALL = 2,    // reserved
};

// How the walk up a stack ended. 0 and 1 are whole stacks; the rest say why the root is missing.
enum sp_outcome {
  SP_OUTCOME_COMPLETE = 0,       // the CFI says that this frame has no caller (_start, clone, a coroutine's entry)
  SP_OUTCOME_COMPLETE_FP = 1,    // the frame-pointer chain ended in zero
  SP_OUTCOME_DEPTH = 2,          // more frames than the agent keeps
  SP_OUTCOME_NO_MODULE = 3,      // the return address is in no loaded code
  SP_OUTCOME_NO_CFI = 4,         // code without call frame information that cannot be followed, and no usable frame pointer
  SP_OUTCOME_BAD_CFI = 5,        // the information is damaged or of a form that is not understood
  SP_OUTCOME_NO_PROGRESS = 6,    // the next frame would not be further up the stack
  SP_OUTCOME_BAD_STACK = 7,      // a value that is needed lies in memory that cannot be read
  SP_OUTCOME_STACK_TABLE = 8,    // the table of stacks is full: only an older part of the stack is kept
  SP_OUTCOME_UNAVAILABLE = 9,    // no unwinder for this machine
};

// What a node's frame is.
enum sp_frame_kind {
  SP_FRAME_INSTRUCTION = 0,    // the address is of an instruction that was about to run
  SP_FRAME_RETURN = 1,         // the address is a return address: the call is before it
  SP_FRAME_INTERPRETER = 2,    // reserved: code object number, offset in it
  SP_FRAME_JIT = 3,            // reserved: code object number, offset in it
  SP_FRAME_SYNTHETIC = 4,      // reserved
};

// A path is written in bits, the lowest of each byte first; zeros fill its last byte. number(w) is a number's length in bits, in w bits,
// and then the number without its top bit, low bits first.
//   number(6) distance   number of the first node minus its caller's; 0: it has none (outermost frame)
//   number(4) count      of nodes, at least 1
//   count frames, each:
//     r ones and a zero         it is number r of those that may follow the frame before; as many ones as there are of these, without
//                               a zero: it is none of them, and then
//       one, index              it is in that place of the table; as many bits as the last place that is in use has
//       zero, zero, number(5)   a frame in the mapping of its base, a return address if more frames follow, an instruction if not: its
//                               address minus the base's, in zigzag form
//       zero, one, number(6), number(7)   where, address
// A frame is (where, address): `where` is mapping number << 3 | enum sp_frame_kind, mapping 0: none; `address` counts from the mapping's
// start; it is the address itself without a mapping. The frame before is that of the node before in the chunk, whatever path that
// was in; (0, 0) for the first, which nothing may follow. The base is the first of those that may follow the frame before, else that frame itself.
//
// Both sides keep a table of SP_PATH_TABLE frames, empty at the start of a chunk: each of the last two forms goes into the next place,
// from 0, after the last one again into place 0, and nothing may follow it yet. Then each frame's place is noted as one that may follow
// the place of the frame before: as number r it changes places with number r - 1, if there is one; in any other form it becomes the
// last, instead of the last where there are SP_PATH_FOLLOWERS.
enum {
  SP_PATH_DISTANCE_WIDTH = 6,
  SP_PATH_COUNT_WIDTH = 4,
  SP_PATH_NEAR_WIDTH = 5,
  SP_PATH_WHERE_WIDTH = 6,
  SP_PATH_ADDRESS_WIDTH = 7,
  SP_PATH_TABLE = 1024,
  SP_PATH_FOLLOWERS = 16,
};

// Flags of SP_RECORD_PATH.
enum sp_path_flag {
  SP_PATH_SAMPLE = 0x01, // a sample of the path's last node follows, from the time on
  SP_PATH_MORE = 0x02,   // in it there is a byte `more`, as if by SP_SAMPLE_MORE; only with SP_PATH_SAMPLE
};

enum sp_record {
  // Nodes of the writer's table of stacks, each the caller of the next; numbers count up from the chunk's first_node. Compact form, with
  // enum sp_path_flag in the tag.
  SP_RECORD_PATH = 0x40,

  // number, start, end, file_offset (of start), bias (process address minus file virtual address, modulo 2^64),
  // time (first seen), flags (enum sp_mapping_flag), device, inode, size, mtime_ns, header_crc: varints; build ID,
  // path: varint length and bytes each; varint count of program headers, each: type, flags, offset, vaddr, filesz, memsz.
  // device..header_crc are 0 where unknown. Addresses are of the process; end is exclusive. Numbers are of the trace, not
  // of the writer, and never given twice; the record may come after nodes that use it, in any writer's chunk.
  SP_RECORD_MAPPING = 0x01,
  SP_RECORD_MAPPING_END = 0x02, // number, time (seen to be gone)
  // The writer of this chunk: tid, time, cpu at the start (CPU clock; before the agent was loaded), name (length, bytes)
  SP_RECORD_THREAD = 0x03,
  SP_RECORD_THREAD_NAME = 0x04, // time, name (length, bytes): of this chunk's writer
  // Some thread's CPU clock: writer (0: it was never sampled), tid, time, cpu, stopped cpu (of it, while stopped), final (1: at its end)
  SP_RECORD_THREAD_CPU = 0x05,
  SP_RECORD_PROCESS_CPU = 0x06, // time, cpu, stopped cpu
  // A text, in one part or several: what (enum sp_text), total length, offset of this part, bytes (to the record's end)
  SP_RECORD_TEXT = 0x07,
  SP_RECORD_LOSS = 0x08,        // reason (enum sp_loss), count, cpu (as in struct sp_live), time: of this chunk's writer
  SP_RECORD_MARK = 0x09,        // time, name (length, bytes), tid of the thread that set it (0 or not there: the writer's)
  SP_RECORD_STATE = 0x0a,       // time, state (enum sp_state), value
  SP_RECORD_LINK = 0x0b,        // time, what (enum sp_link), value, text (length, bytes)
  SP_RECORD_CODE_OBJECT = 0x0c, // reserved: interpreter code: number, first line, file, name, line table, valid from, until
  SP_RECORD_JIT_SYMBOL = 0x0d,  // reserved: number, start, end, name, valid from, until (an address is used again)
  SP_RECORD_SYMBOLS = 0x0e,     // reserved: embedded symbols of a mapping
  // CPU time of a thread that has ended, used after its last sample: writer (0: never sampled), tid, time (of its end), weight, stack
  // (node of this chunk's writer), outcome. The stack is that of the sample before: of a thread with the same start routine.
  SP_RECORD_REMAINDER = 0x10,
  SP_RECORD_BLOB = 0x0f,        // reserved: kind, number, total length, offset, bytes: data longer than a chunk
};

enum sp_mapping_flag {
  SP_MAPPING_ELF = 1u << 0,
  SP_MAPPING_VDSO = 1u << 1,
  SP_MAPPING_ANONYMOUS = 1u << 2, // executable memory without a file: JIT code
};

enum sp_text {
  SP_TEXT_EXECUTABLE = 1, // absolute path
  SP_TEXT_ARGUMENTS = 2,  // argv, each ended by NUL
  SP_TEXT_DIRECTORY = 3,  // working directory at load
  SP_TEXT_HOST = 4,       // node name and kernel release
};

enum sp_state {
  SP_STATE_START = 1,     // statprof_start took effect
  SP_STATE_STOP = 2,      // statprof_stop took effect
  // statprof_reset: what came before is not to be shown; value: frequency. The last clock records up to this time are the
  // zero of what is unsampled, so a SP_RECORD_PROCESS_CPU (and a SP_RECORD_THREAD_CPU of the caller) of the same moment goes before.
  SP_STATE_RESET = 3,
  SP_STATE_FREQUENCY = 4, // the rate was changed by the agent, its own cost being too high, or low again; value: new frequency
  SP_STATE_CLOCK = 5,     // value: enum sp_clock now in use
};

enum sp_link {
  SP_LINK_FORK = 1, // about to fork
  SP_LINK_EXEC = 2, // about to exec; text: the path
  SP_LINK_EXIT = 3, // value: status if known
  SP_LINK_EXEC_FAILED = 4, // the exec before did not happen; value: errno
};

#ifndef __cplusplus
_Static_assert(sizeof(struct sp_chunk_header) == SP_CHUNK_HEADER_SIZE, "chunk header size");
_Static_assert(sizeof(struct sp_file_header) == 184, "file header size");
_Static_assert(sizeof(struct sp_live) == 176, "live block size");
#endif

#endif
