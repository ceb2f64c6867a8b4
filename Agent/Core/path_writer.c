#include "path_writer.h"

#include <string.h>

#include "mapping_record.h"
#include "modules.h"

#define HEADER_MAX (1 + 2 * SP_VARINT_MAX)
#define ITEM_MAX (1 + 2 * SP_VARINT_MAX)
#define RUN_MAX 8 // frames in one SP_PATH_PREDICTED

_Static_assert(HEADER_MAX + ITEM_MAX <= SP_RECORD_MAX, "a record of one node fits");

// The hash that the format gives for a frame.
static uint64_t hash(uint64_t address, uint32_t where) { return (address ^ (uint64_t)where << 40) * SP_PATH_MULTIPLIER; }

// Whether a frame is the one that is remembered.
static bool is(const struct sp_path_frame *kept, uint64_t address, uint32_t where) {
  return kept->address == address && kept->where == where;
}

// What is remembered of a frame. Nothing that is on a stack has an address of all ones.
static struct sp_path_frame remembered(uint64_t address, uint32_t where) {
  return (struct sp_path_frame){.address = address > UINT32_MAX ? UINT32_MAX : (uint32_t)address, .where = address > UINT32_MAX ? UINT32_MAX : where};
}

// Writes one frame that was not predicted.
static void put_frame(struct sp_path_writer *p, struct sp_writer *w, uint64_t address, uint32_t where, unsigned place) {
  uint64_t difference = sp_zigzag(address - p->last_address);
  if (is(&p->recent[place], address, where)) {
    sp_put_byte(w, (uint8_t)(SP_PATH_RECENT | place));
  } else if (where >> 3 != p->last_where >> 3 || (where & 7) > SP_FRAME_RETURN) {
    sp_put_byte(w, SP_PATH_FRAME);
    sp_put_varint(w, where);
    sp_put_varint(w, address);
  } else if ((where & 7) == SP_FRAME_INSTRUCTION) {
    sp_put_byte(w, SP_PATH_INSTRUCTION);
    sp_put_varint(w, difference);
  } else {
    bool more = difference >> 5 != 0;
    sp_put_byte(w, (uint8_t)(SP_PATH_RETURN | (more ? SP_PATH_MORE : 0) | (difference & 31)));
    if (more) sp_put_varint(w, difference >> 5);
  }
}

// Writes a record of `count` nodes, for which there is room.
static void put_path(struct sp_path_writer *p, struct sp_writer *w, uint32_t parent, const struct sp_frame *frames, uint32_t count) {
  sp_put_byte(w, SP_RECORD_PATH);
  sp_put_varint(w, parent == 0 ? 0 : w->next_node - parent);
  sp_put_varint(w, count);
  uint32_t run = 0; // frames of the item that was written last, if that is SP_PATH_PREDICTED
  for (uint32_t i = 1; i <= count; i++) {
    const struct sp_frame *f = frames - i;
    const struct sp_module *module = f->module == 0 ? NULL : sp_module_by_number(f->module);
    uint64_t address = f->address - (module == NULL ? 0 : module->start);
    uint32_t where = f->module << 3 | f->kind;
    struct sp_path_frame *predicted = &p->predicted[hash(p->last_address, p->last_where) >> (64 - SP_PATH_PREDICTED_BITS)];
    unsigned place = (unsigned)(hash(address, where) >> (64 - SP_PATH_RECENT_BITS));
    if (!is(predicted, address, where)) {
      run = 0;
      put_frame(p, w, address, where, place);
    } else if (run == 0 || run == RUN_MAX) {
      run = 1;
      sp_put_byte(w, SP_PATH_PREDICTED);
    } else {
      sp_bump_byte(w);
      run++;
    }
    *predicted = p->recent[place] = remembered(address, where);
    p->last_address = address;
    p->last_where = where;
  }
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

// In as many records as chunks are needed for.
uint32_t sp_path_write(struct sp_path_writer *p, struct sp_writer *w, uint32_t parent, const struct sp_frame *frames, uint32_t count,
                       uint64_t now, uint32_t *failure) {
  uint32_t written = 0;
  *failure = introduce_modules(w, frames, count, now);
  while (*failure == 0 && written < count) {
    *failure = sp_writer_reserve(w, HEADER_MAX + ITEM_MAX, now);
    if (*failure != 0) break;
    if (p->chunk != w->sequence) {
      memset(p, 0, sizeof *p);
      p->chunk = w->sequence;
    }
    uint32_t fit = (sp_writer_room(w) - HEADER_MAX) / ITEM_MAX;
    uint32_t part = count - written < fit ? count - written : fit;
    put_path(p, w, parent, frames - written, part);
    parent = w->next_node - 1;
    written += part;
  }
  return written;
}
