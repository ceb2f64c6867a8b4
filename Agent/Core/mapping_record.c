#include "mapping_record.h"

#include <string.h>

#include "every_tick.h"

#define FIELDS 12 // numbers at the record's beginning
#define PHDR_FIELDS 6

_Static_assert((FIELDS + 4 + SP_PHDRS_MAX * PHDR_FIELDS) * SP_VARINT_MAX + SP_BUILD_ID_MAX + SP_MODULE_PATH_MAX <= SP_RECORD_MAX,
               "the record fits");

// A thread may be ended by another one's exec at any instruction, and what it has not committed is lost: only then do others rely on the
// record. Until then each that comes writes one of its own.
SP_EVERY_TICK uint32_t sp_mapping_record(struct sp_writer *w, struct sp_module *m, uint64_t now) {
  if (atomic_load_explicit(&m->recorded, memory_order_acquire) != 0) return 0;
  uint32_t path_size = (uint32_t)strlen(m->path);
  // No more than it may take: most chunks have no room for the longest record.
  uint32_t size = (FIELDS + 4 + m->phdr_count * PHDR_FIELDS) * SP_VARINT_MAX + m->build_id_size + path_size;
  uint32_t failure = sp_writer_reserve(w, size, now);
  if (failure != 0) return failure;
  const uint64_t fields[FIELDS] = {m->number, m->start,  m->end,   m->file_offset, m->bias,     now,
                                   m->flags,  m->device, m->inode, m->size,        m->mtime_ns, m->header_crc};
  sp_record_begin(w, SP_RECORD_MAPPING);
  for (unsigned i = 0; i < FIELDS; i++) sp_put_varint(w, fields[i]);
  sp_put_string(w, m->build_id, m->build_id_size);
  sp_put_string(w, m->path, path_size);
  sp_put_varint(w, m->phdr_count);
  for (uint32_t i = 0; i < m->phdr_count; i++) {
    const struct sp_module_phdr *p = &m->phdrs[i];
    const uint64_t values[PHDR_FIELDS] = {p->type, p->flags, p->offset, p->vaddr, p->filesz, p->memsz};
    for (unsigned j = 0; j < PHDR_FIELDS; j++) sp_put_varint(w, values[j]);
  }
  sp_record_end(w);
  sp_writer_commit(w);
  atomic_store(&m->recorded, 1);
  return 0;
}

void sp_mapping_end_record(struct sp_writer *w, uint32_t number, uint64_t now) {
  const struct sp_module *m = sp_module_by_number(number);
  if (m == NULL || atomic_load(&m->recorded) == 0 || sp_writer_reserve(w, 32, now) != 0) return;
  sp_record_begin(w, SP_RECORD_MAPPING_END);
  sp_put_varint(w, number);
  sp_put_varint(w, now);
  sp_record_end(w);
}
