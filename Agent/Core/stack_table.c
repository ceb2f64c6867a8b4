#include "stack_table.h"

#include <string.h>
#include <sys/mman.h>

#include "mapping_record.h"
#include "raw_syscall.h"

#define FIRST_CAPACITY 1024

static size_t nodes_size(uint32_t capacity) { return capacity * sizeof(struct sp_stack_node); }
static size_t places_size(uint32_t capacity) { return 2 * capacity * sizeof(uint32_t); }

// Maps a table for `capacity` nodes. False: no memory.
static bool map_table(uint32_t capacity, struct sp_stack_node **nodes, uint32_t **places) {
  long memory = sp_syscall6(SYS_mmap, 0, nodes_size(capacity) + places_size(capacity), PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (sp_syscall_failed(memory)) return false;
  *nodes = (struct sp_stack_node *)memory;
  *places = (uint32_t *)((uint8_t *)memory + nodes_size(capacity));
  return true;
}

bool sp_stack_table_init(struct sp_stack_table *t) {
  if (!map_table(FIRST_CAPACITY, &t->nodes, &t->places)) return false;
  t->capacity = FIRST_CAPACITY;
  t->count = 0;
  t->base = 1;
  t->previous_depth = 0;
  return true;
}

void sp_stack_table_release(struct sp_stack_table *t) {
  sp_syscall2(SYS_munmap, t->nodes, nodes_size(t->capacity) + places_size(t->capacity));
}

// Multiply and shift, after Knuth (TAOCP 3, section 6.4); the high bits of the address are mostly the module's.
static uint64_t hash(uint32_t parent, uint32_t where, uint64_t address) {
  uint64_t h = (address ^ (uint64_t)where << 48) * 0x9e3779b97f4a7c15u;
  h = (h ^ h >> 32 ^ parent) * 0xd6e8feb86659fd93u;
  return h ^ h >> 29;
}

// The place of a node in the hash: where it is, or where it would be.
static uint32_t *find_place(const struct sp_stack_table *t, uint32_t parent, uint32_t where, uint64_t address) {
  uint32_t mask = 2 * t->capacity - 1;
  for (uint32_t i = (uint32_t)hash(parent, where, address) & mask;; i = (i + 1) & mask) {
    uint32_t entry = t->places[i];
    if (entry == 0) return &t->places[i];
    const struct sp_stack_node *n = &t->nodes[entry - 1];
    if (n->address == address && n->parent == parent && n->where == where) return &t->places[i];
  }
}

// Empties the table; numbers go on where they were.
static void forget(struct sp_stack_table *t) {
  memset(t->places, 0, places_size(t->capacity));
  t->base += t->count;
  t->count = 0;
  t->previous_depth = 0;
}

// Makes sure that `more` nodes fit: by a larger table, or by forgetting.
static void make_room(struct sp_stack_table *t, uint32_t more) {
  if (t->count + more <= t->capacity) return;
  struct sp_stack_table old = *t;
  if (t->capacity == SP_STACK_NODES_MAX || !map_table(2 * t->capacity, &t->nodes, &t->places)) {
    forget(t);
    return;
  }
  t->capacity *= 2;
  memcpy(t->nodes, old.nodes, old.count * sizeof *old.nodes);
  for (uint32_t i = 0; i < t->count; i++) {
    const struct sp_stack_node *n = &t->nodes[i];
    *find_place(t, n->parent, n->where, n->address) = i + 1;
  }
  sp_stack_table_release(&old);
}

// Writes the record of a node whose number is the writer's next, and its module's if that is new to the trace.
static uint32_t write_node(struct sp_writer *w, uint32_t parent, const struct sp_frame *frame, uint64_t now) {
  uintptr_t start = 0;
  if (frame->module != 0) {
    struct sp_module *module = sp_module_by_number(frame->module);
    uint32_t failure = sp_mapping_record(w, module, now);
    if (failure != 0) return failure;
    start = module->start;
  }
  uint32_t failure = sp_writer_reserve(w, 1 + 3 * SP_VARINT_MAX, now);
  if (failure != 0) return failure;
  sp_put_byte(w, SP_RECORD_NODE);
  sp_put_varint(w, parent == 0 ? 0 : w->next_node - parent);
  sp_put_varint(w, (uint64_t)frame->module << 3 | frame->kind);
  sp_put_varint(w, frame->address - start);
  w->next_node++;
  return 0;
}

uint32_t sp_stack_table_intern(struct sp_stack_table *t, struct sp_writer *w, const struct sp_frame *frames, uint32_t depth, uint64_t now,
                               uint32_t *failure) {
  *failure = 0;
  make_room(t, depth);
  uint32_t parent = 0;
  bool common = true;
  for (uint32_t i = 0; i < depth; i++) {
    const struct sp_frame *frame = &frames[depth - 1 - i];
    uint32_t where = frame->module << 3 | frame->kind;
    if (common && i < t->previous_depth) {
      const struct sp_stack_node *n = &t->nodes[t->previous[i] - t->base];
      if (n->address == frame->address && n->where == where) {
        parent = t->previous[i];
        continue;
      }
    }
    common = false;
    uint32_t *place = find_place(t, parent, where, frame->address);
    if (*place == 0) {
      *failure = write_node(w, parent, frame, now);
      if (*failure != 0) {
        t->previous_depth = i;
        return 0;
      }
      t->nodes[t->count] = (struct sp_stack_node){.parent = parent, .where = where, .address = frame->address};
      *place = ++t->count;
    }
    parent = t->base + *place - 1;
    t->previous[i] = parent;
  }
  t->previous_depth = depth;
  return parent;
}
