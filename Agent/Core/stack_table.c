#include "stack_table.h"

#include <string.h>

#include "every_tick.h"
#include "private_memory.h"

#define PLACES_LARGE 8192 // up to here a table grows by four, from here on by two
#define STEPS_AHEAD 1024 // bytes

_Static_assert(SP_STACK_PLACES_MAX / 4 * 3 >= SP_MAX_FRAMES, "one stack always fits");

static size_t size_of(uint32_t capacity) { return capacity * sizeof(struct sp_stack_place); }

// Gives back places that were mapped.
static void release(const struct sp_stack_table *t, struct sp_stack_place *places, uint32_t capacity) {
  if (places != NULL && places != t->first_places) sp_private_unmap(places, size_of(capacity));
}

void sp_stack_table_release(struct sp_stack_table *t) { release(t, t->places, t->capacity); }

// The hash of a path from that of its caller's, by multiply and shift (Knuth, TAOCP 3, section 6.4).
static uint32_t extend_hash(uint32_t path, uint32_t where, uint64_t address) {
  uint64_t h = (address ^ (uint64_t)where << 48 ^ (uint64_t)path << 20) * 0x9e3779b97f4a7c15u;
  return (uint32_t)(h >> 32) ^ path;
}

// Where the search for a hash begins.
static struct sp_stack_place *place_of(const struct sp_stack_table *t, uint32_t hash) {
  return &t->places[hash & (t->capacity - 1)];
}

// The place after another.
static struct sp_stack_place *next_place(const struct sp_stack_table *t, struct sp_stack_place *place) {
  return place + 1 < t->places + t->capacity ? place + 1 : t->places;
}

// Empties the table.
static void forget(struct sp_stack_table *t) {
  memset(t->places, 0, size_of(t->capacity));
  t->count = 0;
  t->previous_depth = 0;
}

// Makes sure that `more` nodes, or all of a stack of `depth`, fit into three quarters of the places: by a larger table, or by forgetting, the
// stack before too. False: there is no memory for so many.
static bool make_room(struct sp_stack_table *t, uint32_t more, uint32_t depth) {
  if (t->places == NULL) {
    t->places = t->first_places;
    t->capacity = SP_STACK_PLACES_FIRST;
  }
  while (t->count + more > t->capacity / 4 * 3) {
    struct sp_stack_place *old = t->places;
    uint32_t old_capacity = t->capacity, capacity = old_capacity * (old_capacity < PLACES_LARGE ? 4 : 2);
    struct sp_stack_place *places = capacity <= SP_STACK_PLACES_MAX ? sp_private_map(size_of(capacity)) : NULL;
    if (places == NULL) {
      forget(t);
      return depth <= t->capacity / 4 * 3;
    }
    sp_private_populate(places, size_of(capacity));
    t->places = places;
    t->capacity = capacity;
    for (uint32_t i = 0; i < old_capacity; i++) {
      if (old[i].number == 0) continue;
      struct sp_stack_place *to = place_of(t, old[i].hash);
      while (to->number != 0) to = next_place(t, to);
      *to = old[i];
    }
    release(t, old, old_capacity);
  }
  return true;
}

SP_EVERY_TICK void sp_stack_table_fetch(const struct sp_stack_table *t) {
  const char *steps = (const char *)t->previous;
  for (uint32_t i = 0; i < t->previous_depth * sizeof(struct sp_stack_step) && i < STEPS_AHEAD; i += 64) __builtin_prefetch(steps + i);
}

SP_EVERY_TICK uint32_t sp_stack_table_intern(struct sp_stack_table *t, struct sp_writer *w, const struct sp_frame *frames, uint32_t depth, uint32_t same,
                               uint64_t now, uint32_t *failure) {
  *failure = 0;
  struct sp_stack_step *steps = t->previous;
  uint32_t common = same < t->previous_depth ? same : t->previous_depth;
  for (; common < depth && common < t->previous_depth; common++) {
    const struct sp_frame *frame = &frames[depth - 1 - common];
    if (steps[common].address != frame->address || steps[common].where != (frame->module << 3 | frame->kind)) break;
  }
  t->previous_depth = common;
  if (!make_room(t, depth - common, depth)) {
    *failure = SP_LOSS_NO_MEMORY + 1;
    return 0;
  }
  common = t->previous_depth;
  uint32_t hash = common == 0 ? 0 : steps[common - 1].hash;
  for (uint32_t i = common; i < depth; i++) {
    const struct sp_frame *frame = &frames[depth - 1 - i];
    uint32_t where = frame->module << 3 | frame->kind;
    hash = extend_hash(hash, where, frame->address);
    steps[i] = (struct sp_stack_step){.address = frame->address, .where = where, .hash = hash};
    __builtin_prefetch(place_of(t, hash));
  }
  uint32_t parent = common == 0 ? 0 : steps[common - 1].number;
  uint32_t known = common;
  for (; known < depth; known++) {
    struct sp_stack_step *step = &steps[known];
    struct sp_stack_place *place = place_of(t, step->hash);
    while (place->number != 0 && (place->address != step->address || place->parent != parent || place->where != step->where))
      place = next_place(t, place);
    if (place->number == 0) break;
    parent = step->number = place->number;
  }
  t->previous_depth = known;
  if (known == depth) return parent;
  // From a node that is new on all are.
  uint32_t number = w->next_node;
  uint32_t written = sp_path_write(&t->path, w, parent, frames + (depth - known), depth - known, now, failure);
  for (uint32_t i = known; i < known + written; i++) {
    struct sp_stack_step *step = &steps[i];
    struct sp_stack_place *place = place_of(t, step->hash);
    while (place->number != 0) place = next_place(t, place);
    step->number = number++;
    *place = (struct sp_stack_place){
        .address = step->address, .where = step->where, .parent = parent, .number = step->number, .hash = step->hash};
    parent = step->number;
  }
  t->count += written;
  t->previous_depth = known + written;
  return *failure == 0 ? parent : 0;
}
