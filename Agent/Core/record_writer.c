#include "record_writer.h"

#include <stddef.h>
#include <stdatomic.h>
#include <string.h>

#include "crc32c.h"
#include "every_tick.h"
#include "trace_file.h"

static uint8_t *payload(const struct sp_writer *w) { return (uint8_t *)w->chunk + SP_CHUNK_HEADER_SIZE; }

void sp_writer_init(struct sp_writer *w, uint32_t tid) {
  memset(w, 0, sizeof *w);
  w->number = sp_trace_new_writer();
  w->tid = tid;
  w->next_node = 1;
}

// Stores the committed length and its checksum in one piece, after the bytes themselves.
static void publish(struct sp_writer *w) {
  _Atomic uint64_t *committed = (_Atomic uint64_t *)((uint8_t *)w->chunk + offsetof(struct sp_chunk_header, committed));
  atomic_store_explicit(committed, (uint64_t)w->crc << 32 | w->committed, memory_order_release);
}

SP_EVERY_TICK void sp_writer_commit(struct sp_writer *w) {
  if (w->chunk == NULL || w->used == w->committed) return;
  w->crc = sp_crc32c(w->crc, payload(w) + w->committed, w->used - w->committed);
  w->committed = w->used;
  publish(w);
}

// Gives the writer a new chunk in place of the one it has. 0, or the reason + 1 (enum sp_loss), and then it keeps that one.
static uint32_t open_chunk(struct sp_writer *w, uint64_t now) {
  void *memory;
  uint64_t size = w->size / SP_CHUNK_GROWTH / SP_CHUNK_ALIGNMENT * SP_CHUNK_ALIGNMENT;
  uint64_t least = w->number == 1 && w->size == 0 ? SP_CHUNK_FIRST : SP_CHUNK_MIN;
  size = size < least ? least : size > SP_CHUNK_MAX ? SP_CHUNK_MAX : size;
  uint32_t failure = sp_trace_new_chunk((uint32_t)size, &memory);
  if (failure != 0) return failure;
  sp_writer_close(w);
  w->chunk = memory;
  w->chunk_size = (uint32_t)size;
  w->size += size;
  w->used = w->committed = w->crc = 0;
  w->path = w->path_end = 0;
  w->last = (struct sp_sample_state){.time = now, .kind = SP_KIND_CPU | SP_CLOCK_ITIMER << 4};
  w->chunk_agent_ns = 0;
  struct sp_chunk_header header = {
      .magic = SP_CHUNK_MAGIC,
      .kind = SP_CHUNK_RECORDS,
      .header_size = SP_CHUNK_HEADER_SIZE,
      .size = w->chunk_size,
      .writer = w->number,
      .sequence = w->sequence++,
      .tid = w->tid,
      .first_node = w->next_node,
      .period = w->timer_period,
      .base_time = now,
      .trace_tag = sp_trace_tag(),
  };
  header.checksum = sp_crc32c(0, &header, offsetof(struct sp_chunk_header, checksum));
  *w->chunk = header;
  return 0;
}

SP_EVERY_TICK void sp_writer_fetch(const struct sp_writer *w) {
  if (w->chunk == NULL) return;
  __builtin_prefetch(w->chunk, 1);
  __builtin_prefetch(payload(w) + w->used, 1);
}

SP_EVERY_TICK uint32_t sp_writer_room(const struct sp_writer *w) { return w->chunk_size - SP_CHUNK_HEADER_SIZE - w->used; }

SP_EVERY_TICK uint32_t sp_writer_reserve(struct sp_writer *w, uint32_t size, uint64_t now) {
  if (w->chunk != NULL && w->used + size <= w->chunk_size - SP_CHUNK_HEADER_SIZE) return 0;
  sp_writer_commit(w);
  return open_chunk(w, now);
}

void sp_writer_close(struct sp_writer *w) {
  if (w->chunk != NULL) sp_trace_release(w->chunk, w->chunk_size);
  w->chunk = NULL;
}

SP_EVERY_TICK uint8_t *sp_writer_place(const struct sp_writer *w) { return payload(w) + w->used; }

SP_EVERY_TICK void sp_writer_skip_to(struct sp_writer *w, const uint8_t *end) { w->used = (uint32_t)(end - payload(w)); }

SP_EVERY_TICK void sp_put_byte(struct sp_writer *w, uint8_t byte) { payload(w)[w->used++] = byte; }

SP_EVERY_TICK void sp_set_byte(struct sp_writer *w, uint32_t at, uint8_t byte) { payload(w)[at] = byte; }

SP_EVERY_TICK void sp_put_varint(struct sp_writer *w, uint64_t value) {
  uint8_t *p = payload(w) + w->used;
  uint8_t *start = p;
  while (value >= 0x80) {
    *p++ = (uint8_t)(value | 0x80);
    value >>= 7;
  }
  *p++ = (uint8_t)value;
  w->used += (uint32_t)(p - start);
}

SP_EVERY_TICK uint64_t sp_zigzag(uint64_t difference) { return difference << 1 ^ (0 - (difference >> 63)); }
SP_EVERY_TICK void sp_put_zigzag(struct sp_writer *w, uint64_t difference) { sp_put_varint(w, sp_zigzag(difference)); }

void sp_put_bytes(struct sp_writer *w, const void *bytes, uint32_t size) {
  memcpy(payload(w) + w->used, bytes, size);
  w->used += size;
}

void sp_put_string(struct sp_writer *w, const void *bytes, uint32_t size) {
  sp_put_varint(w, size);
  sp_put_bytes(w, bytes, size);
}

void sp_record_begin(struct sp_writer *w, enum sp_record kind) {
  sp_put_byte(w, (uint8_t)kind);
  w->record = w->used;
  w->used += 2; // room for the length, a varint of two bytes
}

void sp_record_end(struct sp_writer *w) {
  uint32_t length = w->used - w->record - 2;
  payload(w)[w->record] = (uint8_t)(length | 0x80);
  payload(w)[w->record + 1] = (uint8_t)(length >> 7);
}
