#include "path_writer.h"

#include <stddef.h>
#include <string.h>

#include "bit_writer.h"
#include "every_tick.h"
#include "mapping_record.h"
#include "modules.h"

// Bytes at most: the tag, distance and count with the bits that fill the last byte; a frame.
#define HEADER_MAX 9
#define FRAME_MAX 16
// Places of the index that are looked at for a frame.
#define PROBES 4
#define FRAMES_AHEAD 16

_Static_assert(HEADER_MAX + FRAME_MAX + SP_SAMPLE_MAX <= SP_RECORD_MAX, "a record of one node fits");
_Static_assert(SP_MAX_FRAMES < 1 << ((1 << SP_PATH_COUNT_WIDTH) - 1), "the count fits");
_Static_assert(SP_PATH_TABLE <= 1 << (SP_PATH_INDEX_BITS - 1), "the index is half empty");

// The first place of the index to look for a frame in; multiply and shift (Knuth, TAOCP 3, section 6.4).
static uint32_t first_probe(uint64_t address, uint32_t where) {
  return (uint32_t)((address ^ (uint64_t)where << 40) * 0x9e3779b97f4a7c15u >> (64 - SP_PATH_INDEX_BITS));
}

// The place of the index that is looked at `step` places after `first`.
static uint16_t *probe(struct sp_path_writer *p, uint32_t first, uint32_t step) {
  return &p->index[(first + step) & ((1u << SP_PATH_INDEX_BITS) - 1)];
}

// 1 + a frame's place in the table; 0: not found.
static SP_EVERY_TICK uint32_t find(struct sp_path_writer *p, uint64_t address, uint32_t where) {
  uint32_t first = first_probe(address, where);
  for (uint32_t i = 0; i < PROBES; i++) {
    uint32_t place = *probe(p, first, i);
    if (place != 0 && p->table[place - 1].address == address && p->table[place - 1].where == where) return place;
  }
  return 0;
}

// Puts a frame into the next place of the table. Returns 1 + that place.
static SP_EVERY_TICK uint32_t remember(struct sp_path_writer *p, uint64_t address, uint32_t where) {
  uint32_t place = p->count++ % SP_PATH_TABLE + 1;
  struct sp_path_entry *entry = &p->table[place - 1];
  if (p->count > SP_PATH_TABLE) {
    uint32_t first = first_probe(entry->address, entry->where);
    for (uint32_t i = 0; i < PROBES; i++) {
      if (*probe(p, first, i) == place) *probe(p, first, i) = 0;
    }
  }
  entry->address = address;
  entry->where = where;
  entry->count = 0;
  // Where all are taken one is forgotten: that frame will be written out again.
  uint32_t first = first_probe(address, where), step = 0;
  for (uint32_t i = 0; i < PROBES; i++) {
    if (*probe(p, first, i) == 0) {
      step = i;
      break;
    }
  }
  *probe(p, first, step) = (uint16_t)place;
  return place;
}

// Notes that the frame in one place may follow the one in the place before (1 + each), where that stands at `rank`; its count: it is new.
static void note(struct sp_path_entry *before, uint32_t place, uint32_t rank) {
  if (rank == before->count) {
    if (before->count < SP_PATH_FOLLOWERS) before->count++;
    before->next[before->count - 1] = (uint16_t)(place - 1);
  } else if (rank > 0) {
    before->next[rank] = before->next[rank - 1];
    before->next[rank - 1] = (uint16_t)(place - 1);
  }
}

// Writes a frame that is none of those that may follow the one before; `place` is 1 + its place in the table, 0: it is not there.
static SP_EVERY_TICK void put_frame(struct sp_path_writer *p, struct sp_bits *bits, uint64_t address, uint32_t where, uint32_t place,
                                    uint32_t kind) {
  if (place != 0) {
    uint32_t last = (p->count < SP_PATH_TABLE ? p->count : SP_PATH_TABLE) - 1;
    sp_put_bits(bits, 1, 1);
    sp_put_bits(bits, place - 1, sp_bit_length(last));
    return;
  }
  uint64_t base_address = p->last_address;
  uint32_t base_where = p->last_where;
  if (p->last_place != 0 && p->table[p->last_place - 1].count != 0) {
    const struct sp_path_entry *base = &p->table[p->table[p->last_place - 1].next[0]];
    base_address = base->address;
    base_where = base->where;
  }
  uint64_t difference = sp_zigzag(address - base_address);
  if (where == ((base_where & ~7u) | kind) && sp_bit_length(difference) < 1 << SP_PATH_NEAR_WIDTH) {
    sp_put_bits(bits, 0, 2);
    sp_put_number(bits, difference, SP_PATH_NEAR_WIDTH);
  } else {
    sp_put_bits(bits, 2, 2);
    sp_put_number(bits, where, SP_PATH_WHERE_WIDTH);
    sp_put_number(bits, address, SP_PATH_ADDRESS_WIDTH);
  }
}

// A frame as it is in the table.
struct place_key {
  uint64_t address;
  uint32_t where;
};

static SP_EVERY_TICK struct place_key key_of(const struct sp_frame *f) {
  const struct sp_module *module = f->module == 0 ? NULL : sp_module_by_number(f->module);
  return (struct place_key){f->address - (module == NULL ? 0 : module->start), f->module << 3 | f->kind};
}

// Has fetched into the processor's cache what the first frames of a path will need, all at once and not one after another: their places of the
// index; those of the table that they have or will take; what is likely to follow them.
static void fetch_places(struct sp_path_writer *p, const struct sp_frame *frames, uint32_t count) {
  uint32_t probes[FRAMES_AHEAD], ahead = count < FRAMES_AHEAD ? count : FRAMES_AHEAD;
  for (uint32_t i = 0; i < ahead; i++) {
    struct place_key key = key_of(frames - 1 - i);
    probes[i] = first_probe(key.address, key.where);
    __builtin_prefetch(probe(p, probes[i], 0), 1);
    __builtin_prefetch(&p->table[(p->count + i) % SP_PATH_TABLE], 1);
  }
  for (uint32_t i = 0; i < ahead; i++) {
    probes[i] = *probe(p, probes[i], 0);
    if (probes[i] == 0) continue;
    __builtin_prefetch(&p->table[probes[i] - 1], 1);
    __builtin_prefetch((const char *)&p->table[probes[i]] - 1, 1);
  }
  for (uint32_t i = 0; i < ahead; i++) {
    const struct sp_path_entry *entry = probes[i] == 0 ? NULL : &p->table[probes[i] - 1];
    if (entry != NULL && entry->count > 0) __builtin_prefetch(&p->table[entry->next[0]]);
  }
}

// Writes a record of `count` nodes, for which there is room.
static void put_path(struct sp_path_writer *p, struct sp_writer *w, uint32_t parent, const struct sp_frame *frames, uint32_t count) {
  fetch_places(p, frames, count);
  w->path = w->used;
  sp_put_byte(w, SP_RECORD_PATH);
  struct sp_bits bits = {.to = sp_writer_place(w)};
  sp_put_number(&bits, parent == 0 ? 0 : w->next_node - parent, SP_PATH_DISTANCE_WIDTH);
  sp_put_number(&bits, count, SP_PATH_COUNT_WIDTH);
  for (uint32_t i = 1; i <= count; i++) {
    const struct place_key key = key_of(frames - i);
    uint64_t address = key.address;
    uint32_t where = key.where;
    uint32_t place = find(p, address, where);
    struct sp_path_entry none = {0};
    struct sp_path_entry *before = p->last_place == 0 ? &none : &p->table[p->last_place - 1];
    uint32_t rank = 0;
    while (rank < before->count && before->next[rank] + 1u != place) rank++;
    sp_put_bits(&bits, (1u << rank) - 1, rank + (rank < before->count));
    if (rank == before->count) put_frame(p, &bits, address, where, place, i < count ? SP_FRAME_RETURN : SP_FRAME_INSTRUCTION);
    if (place == 0) {
      place = remember(p, address, where);
      if (rank > before->count) rank = before->count; // the frame before has lost its place to this one
    }
    note(before, place, rank);
    p->last_place = place;
    p->last_address = address;
    p->last_where = where;
  }
  sp_writer_skip_to(w, sp_end_bits(&bits));
  w->path_end = w->used;
  w->next_node += count;
}

// Writes the records of modules that are new to the trace. 0, or the reason + 1 (enum sp_loss).
static uint32_t introduce_modules(struct sp_writer *w, const struct sp_frame *frames, uint32_t count, uint64_t now) {
  uint32_t last = 0;
  for (uint32_t i = 1; i <= count; i++) {
    uint32_t number = frames[-(intptr_t)i].module;
    if (number == last || number == 0) continue;
    uint32_t failure = sp_mapping_record(w, sp_module_by_number(number), now);
    if (failure != 0) return failure;
    last = number;
  }
  return 0;
}

// Forgets what was written in the chunk before.
static void begin_chunk(struct sp_path_writer *p, uint32_t chunk) {
  memset(p, 0, offsetof(struct sp_path_writer, table));
  p->chunk = chunk;
}

// In as many records as chunks are needed for. There is room for a sample after each.
SP_EVERY_TICK uint32_t sp_path_write(struct sp_path_writer *p, struct sp_writer *w, uint32_t parent, const struct sp_frame *frames,
                                     uint32_t count, uint64_t now, uint32_t *failure) {
  uint32_t written = 0;
  *failure = introduce_modules(w, frames, count, now);
  while (*failure == 0 && written < count) {
    *failure = sp_writer_reserve(w, HEADER_MAX + FRAME_MAX + SP_SAMPLE_MAX, now);
    if (*failure != 0) break;
    if (p->chunk != w->sequence) begin_chunk(p, w->sequence);
    uint32_t fit = (sp_writer_room(w) - HEADER_MAX - SP_SAMPLE_MAX) / FRAME_MAX;
    uint32_t part = count - written < fit ? count - written : fit;
    put_path(p, w, parent, frames - written, part);
    parent = w->next_node - 1;
    written += part;
  }
  return written;
}
