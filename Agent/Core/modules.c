#define _GNU_SOURCE
#include "modules.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <time.h>

#include "cfi.h"
#include "every_tick.h"
#include "maps.h"
#include "memory_reader.h"
#include "module_facts.h"
#include "private_memory.h"
#include "raw_syscall.h"
#include "statprof_trace.h"

#define INDEX_SIZE 8192u      // of the hash table, twice SP_MODULES_MAX
#define LOADED_FIRST_MAX 512  // images that were there at load
#define LARGE_CODE (1u << 20)      // from this size on, the search table is worth an index
#define UNLISTED_MAX 1024     // modules that _dl_find_object does not know of
#define MAPS_INTERVAL_NS UINT64_C(100000000) // for each reading of /proc/self/maps, when an address is in no known module
#define MAPS_BURST 40                        // of them may follow each other at once

_Static_assert(SP_READER_VERIFIED_MAX <= UINT8_MAX, "verified_count");

// The result of _dl_find_object (glibc 2.35), declared here so that older headers will do. x86-64 and aarch64 have none of
// the optional members.
struct found_object {
  unsigned long long flags;
  void *map_start, *map_end;
  struct link_map *link_map;
  void *eh_frame; // the PT_GNU_EH_FRAME segment
  unsigned long long reserved[7];
};

// A slot of the table. Written by one thread before its number is published; later only the atomic members change.
struct slot {
  _Atomic uint32_t published;
  _Atomic uint32_t gone_told;
  struct sp_module module;
  struct sp_module_proof proof;
  uintptr_t link_map, eh_frame; // as _dl_find_object has them, 0 for others
  uintptr_t seen;               // of others: the page that it was found by, since memory around it may be the agent's
  bool listed;                  // _dl_find_object knows of it
  bool permanent;               // loaded with the program: never unloaded
};

// Made when a module is first looked for; a forked child begins without one.
struct table {
  _Atomic uint32_t slot_count;
  _Atomic uint32_t removable_count; // modules that are not permanent
  struct slot slots[SP_MODULES_MAX];
  _Atomic uint32_t by_start[INDEX_SIZE];   // number of the module, by the start of what is listed
  _Atomic uint32_t unlisted[UNLISTED_MAX]; // numbers of those that are not
  _Atomic uint32_t unlisted_count;
  _Atomic uint64_t maps_paid_ns; // the time until which readings of /proc/self/maps are accounted for
  char executable[SP_MODULE_PATH_MAX]; // "" if /proc does not say
};

static _Atomic(struct table *) shared_table SP_HOT;
static _Atomic uintptr_t ignored_start SP_HOT, ignored_end SP_HOT;

// Written at load only.
static int (*find_object)(void *, struct found_object *) SP_HOT;
static uintptr_t vdso_start SP_HOT;
static unsigned loaded_first_count SP_HOT;
static struct {
  uintptr_t start, end;
} loaded_first[LOADED_FIRST_MAX];

// Keeps where an image begins and ends.
static int note_loaded(struct dl_phdr_info *info, size_t size, void *unused) {
  (void)size, (void)unused;
  uintptr_t start = UINTPTR_MAX, end = 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    if (info->dlpi_phdr[i].p_type != PT_LOAD) continue;
    uintptr_t address = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
    if (address < start) start = address;
    if (address + info->dlpi_phdr[i].p_memsz > end) end = address + info->dlpi_phdr[i].p_memsz;
  }
  if (loaded_first_count == LOADED_FIRST_MAX) return 1;
  loaded_first[loaded_first_count].start = start & ~(uintptr_t)(SP_READER_PAGE_SIZE - 1);
  loaded_first[loaded_first_count++].end = end;
  return 0;
}

// A plain weak reference would do, but linkers differ in whether they mark the version as weak then.
void sp_modules_load(void) {
  find_object = (int (*)(void *, struct found_object *))dlsym(RTLD_DEFAULT, "_dl_find_object");
  vdso_start = getauxval(AT_SYSINFO_EHDR);
  loaded_first_count = 0;
  dl_iterate_phdr(note_loaded, NULL);
}

// The table, made by whoever needs it first. NULL: no memory.
static struct table *get_table(void) {
  struct table *table = atomic_load_explicit(&shared_table, memory_order_acquire);
  if (table != NULL) return table;
  struct table *made = sp_private_map(sizeof *made);
  if (made == NULL) return NULL;
  long length = sp_syscall4(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", made->executable, sizeof made->executable - 1);
  if (length < 0) made->executable[0] = '\0';
  if (atomic_compare_exchange_strong(&shared_table, &table, made)) return made;
  sp_private_unmap(made, sizeof *made);
  return table;
}

// Where the search for `start` begins in the hash table.
static uint32_t index_of(uintptr_t start) {
  return (uint32_t)(((start >> 12) * 0x9e3779b97f4a7c15u) >> 51) & (INDEX_SIZE - 1);
}

// A slot for a module whose range is known so far; NULL when the table is full.
static struct slot *new_slot(struct table *table, uintptr_t start, uintptr_t end) {
  if (atomic_load_explicit(&table->slot_count, memory_order_relaxed) >= SP_MODULES_MAX) return NULL;
  uint32_t index = atomic_fetch_add_explicit(&table->slot_count, 1, memory_order_relaxed);
  if (index >= SP_MODULES_MAX) {
    atomic_store_explicit(&table->slot_count, SP_MODULES_MAX, memory_order_relaxed);
    return NULL;
  }
  struct slot *slot = &table->slots[index];
  slot->module.number = index + 1;
  slot->module.start = start;
  slot->module.end = end;
  slot->module.image_start = start;
  slot->module.image_end = end;
  for (unsigned i = 0; i < loaded_first_count && !slot->permanent; i++) {
    if (start < loaded_first[i].start || start >= loaded_first[i].end) continue;
    slot->permanent = true;
    slot->module.image_start = loaded_first[i].start;
  }
  return slot;
}

// Makes a filled slot visible to all threads.
static void publish(struct table *table, struct slot *slot) {
  if (!slot->permanent) atomic_fetch_add_explicit(&table->removable_count, 1, memory_order_relaxed);
  atomic_store_explicit(&slot->published, 1, memory_order_release);
}

// Whether the module's image is still the one that it was. Asked of the kernel once a walk, and not at all for what came
// with the program.
static bool still_there(struct sp_reader *reader, struct slot *slot) {
  if (slot->permanent || slot->proof.size == 0) return true;
  for (unsigned i = 0; i < reader->verified_count; i++)
    if (reader->verified[i] == slot->module.number) return true;
  if (!sp_module_proof_holds(reader, &slot->proof)) return false;
  if (reader->verified_count < SP_READER_VERIFIED_MAX) reader->verified[reader->verified_count++] = slot->module.number;
  return true;
}

static void mark_gone(struct slot *slot) { atomic_store_explicit(&slot->module.gone, 1, memory_order_release); }

static bool is_gone(struct slot *slot) { return atomic_load_explicit(&slot->module.gone, memory_order_acquire) != 0; }

// The search for the path of a file that is mapped at `start`.
struct path_search {
  uintptr_t start;
  struct sp_module *module;
  bool found;
};

// Whether the file may be in a mapping yet to come.
static bool take_path(const struct sp_maps_entry *entry, void *context) {
  struct path_search *s = context;
  if (s->start < entry->start || s->start >= entry->end) return true;
  s->found = entry->path[0] == '/';
  if (s->found) sp_module_set_path(s->module, entry->path, SP_MODULE_PATH_MAX);
  return false;
}

// The path of the file that is mapped at `start`; false if /proc does not say.
static bool path_from_maps(struct sp_reader *reader, uintptr_t start, struct sp_module *module) {
  struct path_search s = {.start = start, .module = module};
  sp_maps_visit(reader->scratch, sizeof reader->scratch, take_path, &s);
  return s.found;
}

// The path and the kind of a listed module. The loader's name is absolute unless the library was asked for by a
// relative path; then the kernel is asked.
static void name_listed(const struct table *table, struct sp_reader *reader, struct sp_module *module, const struct link_map *map) {
  if (module->start == vdso_start) {
    module->flags |= SP_MAPPING_VDSO;
    sp_module_set_path(module, "[vdso]", SP_MODULE_PATH_MAX);
    return;
  }
  char name[SP_MODULE_PATH_MAX];
  size_t length = 0;
  while (map->l_name != NULL && length < sizeof name - 1 &&
         sp_reader_copy(reader, 0, (uintptr_t)map->l_name + length, &name[length], 1) && name[length] != '\0')
    length++;
  name[length] = '\0';
  if (name[0] == '\0' && table->executable[0] == '/') sp_module_set_path(module, table->executable, SP_MODULE_PATH_MAX);
  else if (name[0] == '/') sp_module_set_path(module, name, sizeof name);
  else if (!path_from_maps(reader, module->start, module)) sp_module_set_path(module, name, sizeof name);
}

// Fills a slot for what _dl_find_object found.
static struct slot *new_listed(struct table *table, struct sp_reader *reader, const struct found_object *found) {
  struct link_map map;
  struct slot *slot = new_slot(table, (uintptr_t)found->map_start, (uintptr_t)found->map_end);
  if (slot == NULL) return NULL;
  struct sp_module *module = &slot->module;
  slot->listed = true;
  slot->link_map = (uintptr_t)found->link_map;
  slot->eh_frame = (uintptr_t)found->eh_frame;
  if (!sp_reader_copy(reader, 0, slot->link_map, &map, sizeof map)) map = (struct link_map){0};
  bool read = sp_module_read_elf(reader, module, &slot->proof);
  if (!read && map.l_addr != 0 && map.l_addr < module->start) { // a part of a library with gaps
    module->image_start = map.l_addr;
    read = sp_module_read_elf(reader, module, &slot->proof);
  }
  if (!read) {
    module->flags |= SP_MAPPING_ELF;
    module->bias = map.l_addr;
  }
  if (module->eh_frame_hdr != slot->eh_frame) {
    module->eh_frame_hdr = slot->eh_frame;
    module->eh_frame_hdr_end = slot->eh_frame == 0 ? 0 : module->image_end;
  }
  sp_module_place(module, slot->permanent);
  if (module->tables_end != 0) sp_cfi_place(reader, module);
  uintptr_t code_size = module->code_end - module->code_start;
  if (module->tables_end != 0 && code_size >= LARGE_CODE)
    module->blocks = sp_private_map(((code_size >> SP_CODE_BLOCK_SHIFT) + 1) * sizeof *module->blocks);
  name_listed(table, reader, module, &map);
  sp_module_stat(module);
  return slot;
}

// The module of what _dl_find_object found; one that another image has replaced is marked gone on the way.
static struct slot *find_listed(struct table *table, struct sp_reader *reader, const struct found_object *found) {
  uint32_t place = index_of((uintptr_t)found->map_start), free_place = INDEX_SIZE, free_value = 0;
  for (unsigned n = 0; n < INDEX_SIZE; n++, place = (place + 1) & (INDEX_SIZE - 1)) {
    uint32_t number = atomic_load_explicit(&table->by_start[place], memory_order_acquire);
    if (number == 0) {
      if (free_place == INDEX_SIZE) free_place = place, free_value = 0;
      break;
    }
    struct slot *slot = &table->slots[number - 1];
    if (is_gone(slot)) {
      if (free_place == INDEX_SIZE) free_place = place, free_value = number;
      continue;
    }
    if (slot->module.start != (uintptr_t)found->map_start) continue;
    if (slot->module.end == (uintptr_t)found->map_end && slot->link_map == (uintptr_t)found->link_map &&
        slot->eh_frame == (uintptr_t)found->eh_frame && still_there(reader, slot))
      return slot;
    mark_gone(slot);
    if (free_place == INDEX_SIZE) free_place = place, free_value = number;
  }
  struct slot *slot = free_place == INDEX_SIZE ? NULL : new_listed(table, reader, found);
  if (slot == NULL) return NULL;
  publish(table, slot);
  // Should another thread have taken the place, this number stays without one and the next lookup makes another.
  atomic_compare_exchange_strong(&table->by_start[free_place], &free_value, slot->module.number);
  return slot;
}

// Whether an address belongs to a module that is not listed; such an image may have holes that belong to others.
static bool covers(const struct sp_module *module, uintptr_t address) {
  if (address < module->start || address >= module->end) return false;
  if (module->phdr_count == 0) return true;
  for (unsigned i = 0; i < module->phdr_count; i++) {
    const struct sp_module_phdr *p = &module->phdrs[i];
    if (p->type == PT_LOAD && address - module->bias - p->vaddr < p->memsz) return true;
  }
  return false;
}

// A known module that is not listed.
static struct slot *find_unlisted(struct table *table, struct sp_reader *reader, uintptr_t address) {
  uint32_t count = atomic_load_explicit(&table->unlisted_count, memory_order_acquire);
  if (count > UNLISTED_MAX) count = UNLISTED_MAX;
  for (uint32_t i = count; i-- > 0;) { // the newest first
    uint32_t number = atomic_load_explicit(&table->unlisted[i], memory_order_acquire);
    if (number == 0) continue;
    struct slot *slot = &table->slots[number - 1];
    if (is_gone(slot) || !covers(&slot->module, address)) continue;
    if (still_there(reader, slot)) return slot;
    mark_gone(slot);
  }
  return NULL;
}

// Whether /proc/self/maps may be read now: in the long run once in MAPS_INTERVAL_NS, in the whole process.
static bool may_read_maps(struct table *table) {
  struct timespec now;
  if (sp_syscall2(SYS_clock_gettime, CLOCK_MONOTONIC_COARSE, &now) != 0) return false;
  uint64_t now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
  uint64_t paid = atomic_load_explicit(&table->maps_paid_ns, memory_order_relaxed);
  uint64_t next = (paid > now_ns ? paid : now_ns) + MAPS_INTERVAL_NS;
  if (next - now_ns > MAPS_BURST * MAPS_INTERVAL_NS) return false;
  return atomic_compare_exchange_strong(&table->maps_paid_ns, &paid, next);
}

// The search for the image, or the stretch of anonymous memory, that an address is in.
struct mapped {
  uintptr_t address;
  uintptr_t start, end;
  uint64_t inode;
  bool anonymous, vdso;
  bool found; // and executable
  char path[SP_MODULE_PATH_MAX]; // of a file
};

// Whether more of it may be in a mapping yet to come. Anonymous memory is taken in whole stretches of neighboring mappings, whatever their
// protection: a code cache changes that page by page.
static bool join_mapping(const struct sp_maps_entry *entry, void *context) {
  struct mapped *m = context;
  bool anonymous = entry->inode == 0 && (entry->path[0] == '\0' || strncmp(entry->path, "[anon", 5) == 0);
  bool same = anonymous ? m->anonymous && m->end == entry->start : !m->anonymous && entry->inode != 0 && m->inode == entry->inode;
  if (!anonymous && same && entry->offset == 0) same = false; // the same file once more
  if (m->found && !same) return false;
  if (!same) {
    m->start = entry->start;
    m->inode = entry->inode;
    m->anonymous = anonymous;
  }
  m->end = entry->end;
  if (m->address >= entry->end || m->address < entry->start) return true;
  if (!entry->executable) return false;
  m->found = true;
  m->vdso = strcmp(entry->path, "[vdso]") == 0;
  size_t length = strnlen(entry->path, sizeof m->path - 1);
  memcpy(m->path, entry->path, length);
  m->path[length] = '\0';
  return true;
}

// Makes a module of executable memory that is not listed.
static struct slot *new_unlisted(struct table *table, struct sp_reader *reader, uintptr_t address) {
  struct mapped mapped = {.address = address};
  if (atomic_load_explicit(&table->unlisted_count, memory_order_relaxed) >= UNLISTED_MAX) return NULL;
  sp_maps_visit(reader->scratch, sizeof reader->scratch, join_mapping, &mapped);
  if (!mapped.found) return NULL;
  struct slot *slot = new_slot(table, mapped.start, mapped.end);
  if (slot == NULL) return NULL;
  struct sp_module *module = &slot->module;
  slot->seen = address & ~(uintptr_t)(SP_READER_PAGE_SIZE - 1);
  if (mapped.anonymous || !sp_module_read_elf(reader, module, &slot->proof) || !covers(module, address)) {
    *module = (struct sp_module){.number = module->number, .flags = SP_MAPPING_ANONYMOUS, .start = mapped.start, .end = mapped.end};
    module->image_start = mapped.start;
    module->image_end = mapped.end;
    module->bias = module->start;
    slot->proof.size = 0;
    sp_module_set_path(module, "[anonymous]", SP_MODULE_PATH_MAX);
  } else {
    module->end = module->image_end;
    sp_module_place(module, slot->permanent);
    if (mapped.vdso) module->flags |= SP_MAPPING_VDSO;
    sp_module_set_path(module, mapped.path, sizeof mapped.path);
    sp_module_stat(module);
  }
  uint32_t count = atomic_load_explicit(&table->unlisted_count, memory_order_acquire);
  for (uint32_t i = 0; i < count && i < UNLISTED_MAX; i++) { // what it has grown over, or taken the place of
    uint32_t number = atomic_load_explicit(&table->unlisted[i], memory_order_acquire);
    struct slot *old = number == 0 ? NULL : &table->slots[number - 1];
    if (old == NULL || is_gone(old) || old->module.end <= module->start || module->end <= old->module.start) continue;
    if ((old->module.flags & module->flags & SP_MAPPING_ANONYMOUS) || !sp_module_proof_holds(reader, &old->proof)) mark_gone(old);
  }
  publish(table, slot);
  uint32_t place = atomic_fetch_add_explicit(&table->unlisted_count, 1, memory_order_acq_rel);
  if (place < UNLISTED_MAX) atomic_store_explicit(&table->unlisted[place], module->number, memory_order_release);
  return slot;
}

SP_EVERY_TICK const struct sp_module *sp_module_recent(const struct sp_reader *reader, uintptr_t address) {
  for (unsigned i = 0; i < SP_READER_RECENT; i++)
    if (address >= reader->recent[i].start && address < reader->recent[i].end) return reader->recent[i].module;
  return NULL;
}

// Keeps a module for sp_module_recent, if it is one that may be kept.
static void keep_recent(struct sp_reader *reader, const struct slot *slot) {
  if (!slot->permanent || !slot->listed) return;
  unsigned place = reader->recent_next++ % SP_READER_RECENT;
  reader->recent[place].start = slot->module.start;
  reader->recent[place].end = slot->module.end;
  reader->recent[place].module = &slot->module;
}

// What was found last first, then the loader's own table; then what was found by the kernel's; then, not too often, the kernel's.
SP_EVERY_TICK const struct sp_module *sp_module_find(struct sp_reader *reader, uintptr_t address) {
  const struct sp_module *recent = sp_module_recent(reader, address);
  if (recent != NULL) return recent;
  struct slot *slot;
  struct found_object found;
  struct table *table = address < SP_READER_PAGE_SIZE ? NULL : get_table();
  if (table == NULL) return NULL;
  if (find_object != NULL && find_object((void *)address, &found) == 0) {
    slot = find_listed(table, reader, &found);
    if (slot != NULL) keep_recent(reader, slot);
  } else {
    slot = find_unlisted(table, reader, address);
    if (slot == NULL && may_read_maps(table)) slot = new_unlisted(table, reader, address);
  }
  return slot == NULL ? NULL : &slot->module;
}

bool sp_module_is_code(const struct sp_module *module, uintptr_t address) {
  if (module->phdr_count == 0) return true;
  for (unsigned i = 0; i < module->phdr_count; i++) {
    const struct sp_module_phdr *p = &module->phdrs[i];
    if (p->type == PT_LOAD && (p->flags & PF_X) && address - module->bias - p->vaddr < p->memsz) return true;
  }
  return false;
}

SP_EVERY_TICK struct sp_module *sp_module_by_number(uint32_t number) {
  struct table *table = atomic_load_explicit(&shared_table, memory_order_acquire);
  if (table == NULL || number == 0 || number > SP_MODULES_MAX) return NULL;
  struct slot *slot = &table->slots[number - 1];
  return atomic_load_explicit(&slot->published, memory_order_acquire) ? &slot->module : NULL;
}

// Whether a module is still loaded, looked at afresh.
static bool still_loaded(struct sp_reader *reader, struct slot *slot) {
  struct found_object found;
  unsigned char resident;
  if (slot->listed) {
    if (find_object((void *)slot->module.start, &found) != 0 || (uintptr_t)found.map_start != slot->module.start ||
        (uintptr_t)found.link_map != slot->link_map)
      return false;
  } else if (sp_syscall_failed(sp_syscall3(SYS_mincore, slot->seen, SP_READER_PAGE_SIZE, &resident))) {
    return false;
  }
  return sp_module_proof_holds(reader, &slot->proof);
}

// One module that can have gone at a call; those that cannot, or were told of before, are passed over.
SP_EVERY_TICK uint32_t sp_modules_sweep(struct sp_reader *reader) {
  struct table *table = atomic_load_explicit(&shared_table, memory_order_acquire);
  if (table == NULL || atomic_load_explicit(&table->removable_count, memory_order_relaxed) == 0) return 0;
  uint32_t count = atomic_load_explicit(&table->slot_count, memory_order_relaxed);
  if (count > SP_MODULES_MAX) count = SP_MODULES_MAX;
  for (uint32_t n = 0; n < count && n < 64; n++) {
    uint32_t index = reader->sweep++ % count;
    struct slot *slot = &table->slots[index];
    if (!atomic_load_explicit(&slot->published, memory_order_acquire) || slot->permanent) continue;
    if (atomic_load_explicit(&slot->gone_told, memory_order_relaxed)) continue;
    if (!is_gone(slot) && !still_loaded(reader, slot)) mark_gone(slot);
    if (!is_gone(slot)) return 0;
    if (atomic_exchange_explicit(&slot->gone_told, 1, memory_order_relaxed) == 0) return slot->module.number;
  }
  return 0;
}

void sp_modules_ignore(uintptr_t start, uintptr_t end) {
  atomic_store_explicit(&ignored_start, start, memory_order_relaxed);
  atomic_store_explicit(&ignored_end, end, memory_order_relaxed);
}

SP_EVERY_TICK bool sp_modules_ignored(uintptr_t address) {
  return address >= atomic_load_explicit(&ignored_start, memory_order_relaxed) &&
         address < atomic_load_explicit(&ignored_end, memory_order_relaxed);
}

// The table was the parent's, and is not in the child's memory.
void sp_modules_forked(void) { atomic_store_explicit(&shared_table, NULL, memory_order_relaxed); }
