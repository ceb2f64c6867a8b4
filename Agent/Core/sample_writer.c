#include "sample_writer.h"

#include "every_tick.h"

// How many overruns the period of the chunk's timer lets expect. What is left over for the next sample goes by how many there were.
static uint64_t predict_overruns(struct sp_writer *w, uint64_t weight, uint32_t overruns) {
  uint64_t period = w->chunk->period;
  if (period == 0) return 0;
  uint64_t elapsed = w->last.left_over + weight * 1000;
  uint64_t expired = (overruns + 1ull) * period;
  uint64_t left = elapsed > expired ? elapsed - expired : 0;
  w->last.left_over = left < period ? left : period - 1;
  return elapsed < period ? 0 : elapsed / period - 1;
}

SP_EVERY_TICK uint32_t sp_sample_write(struct sp_writer *w, const struct sp_sample *s) {
  uint32_t failure = sp_writer_reserve(w, SP_SAMPLE_MAX, s->time);
  if (failure != 0) return failure;
  struct sp_sample_state *last = &w->last;
  uint64_t time = s->time > last->time ? s->time : last->time;
  uint8_t more = (uint8_t)(s->outcome << 4);
  if (s->overruns != predict_overruns(w, s->weight, s->overruns)) more |= SP_MORE_OVERRUNS;
  if (s->kind != last->kind) more |= SP_MORE_KIND;
  uint32_t low = s->stack & ((1u << SP_SAMPLE_LOW_BITS) - 1), high = s->stack >> SP_SAMPLE_LOW_BITS;
  if (w->path_end != 0 && w->path_end == w->used && s->stack == w->next_node - 1) {
    sp_set_byte(w, w->path, (uint8_t)(SP_RECORD_PATH | SP_PATH_SAMPLE | (more != 0 ? SP_PATH_MORE : 0)));
  } else {
    bool known = last->stacks[low] == high;
    sp_put_byte(w, (uint8_t)(SP_RECORD_SAMPLE | (more != 0 ? SP_SAMPLE_MORE : 0) | (known ? 0 : SP_SAMPLE_STACK) | low));
    if (!known) sp_put_varint(w, high);
  }
  sp_put_zigzag(w, time - last->time - s->weight);
  sp_put_zigzag(w, s->weight - last->weight);
  if (more != 0) sp_put_byte(w, more);
  if (more & SP_MORE_OVERRUNS) sp_put_varint(w, s->overruns);
  if (more & SP_MORE_KIND) sp_put_byte(w, s->kind);
  last->time = time;
  last->weight = s->weight;
  last->stacks[low] = high;
  last->kind = s->kind;
  return 0;
}
