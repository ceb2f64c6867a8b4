#define _GNU_SOURCE // RTLD_NEXT
#include "next.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HIDDEN_VERSION 0x8000 // an older version of a symbol, for who names it
#define WORD_BITS (8 * sizeof(ElfW(Addr)))

#pragma weak _r_debug // the loader's list of what it has loaded; another C library has none of this name

// What a dynamic section says of its object's symbols. The hash table is of GNU's form: a filter, buckets, and chains whose last entry
// is odd.
struct symbols {
  const ElfW(Sym) *symbols;
  const char *names;
  const ElfW(Half) *versions;
  const uint32_t *hash;
};

static struct symbols read_dynamic(const struct link_map *map) {
  struct symbols s = {0};
  for (const ElfW(Dyn) *d = map->l_ld; d != NULL && d->d_tag != DT_NULL; d++) {
    // Most have been made addresses; those of the vdso have not.
    const void *at = (const void *)(d->d_un.d_ptr < map->l_addr ? map->l_addr + d->d_un.d_ptr : d->d_un.d_ptr);
    if (d->d_tag == DT_SYMTAB) s.symbols = at;
    else if (d->d_tag == DT_STRTAB) s.names = at;
    else if (d->d_tag == DT_VERSYM) s.versions = at;
    else if (d->d_tag == DT_GNU_HASH) s.hash = at;
  }
  return s;
}

// A function's address in an object; NULL: it has none of that name.
static void *find_in(const struct link_map *map, const char *name) {
  const struct symbols s = read_dynamic(map);
  if (s.symbols == NULL || s.names == NULL || s.hash == NULL || s.hash[0] == 0) return NULL;
  uint32_t hash = 5381;
  for (const char *p = name; *p != 0; p++) hash = hash * 33 + (uint8_t)*p;
  const uint32_t buckets = s.hash[0], first = s.hash[1], words = s.hash[2], shift = s.hash[3];
  const ElfW(Addr) *filter = (const ElfW(Addr) *)(s.hash + 4);
  ElfW(Addr) word = filter[hash / WORD_BITS % words];
  if (!(word >> hash % WORD_BITS & word >> (hash >> shift) % WORD_BITS & 1)) return NULL;
  const uint32_t *bucket = (const uint32_t *)(filter + words), *chain = bucket + buckets;
  uint32_t i = bucket[hash % buckets];
  if (i < first) return NULL;
  for (;; i++) {
    const ElfW(Sym) *symbol = &s.symbols[i];
    bool wanted = (chain[i - first] | 1) == (hash | 1) && symbol->st_shndx != SHN_UNDEF && ELF64_ST_TYPE(symbol->st_info) == STT_FUNC &&
                  (s.versions == NULL || !(s.versions[i] & HIDDEN_VERSION)) && strcmp(s.names + symbol->st_name, name) == 0;
    if (wanted) return (void *)(map->l_addr + symbol->st_value);
    if (chain[i - first] & 1) return NULL;
  }
}

// What is loaded later than this library comes after it in the list.
static void *find(const char *name) {
  void *function = NULL;
  const struct link_map *map = &_r_debug == NULL ? NULL : _r_debug.r_map;
  while (map != NULL && map->l_ld != _DYNAMIC) map = map->l_next;
  for (map = map == NULL ? NULL : map->l_next; map != NULL && function == NULL; map = map->l_next) function = find_in(map, name);
  return function != NULL ? function : dlsym(RTLD_NEXT, name);
}

void *sp_next(_Atomic(void *) *kept, const char *name) {
  void *function = atomic_load(kept);
  if (function == NULL) {
    function = find(name);
    atomic_store(kept, function);
  }
  return function;
}
