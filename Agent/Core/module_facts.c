#define _GNU_SOURCE
#include "module_facts.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "crc32c.h"
#include "raw_syscall.h"
#include "statprof_trace.h"

#define MAX_HEADERS 64 // program headers of one file, more than any linker writes
#define MAX_NOTES 32

#if defined(__x86_64__)
#define OWN_MACHINE EM_X86_64
#else
#define OWN_MACHINE EM_AARCH64
#endif

// Looks through one PT_NOTE segment for the build ID. True when it was found.
static bool read_build_id(struct sp_reader *reader, struct sp_module *module, uintptr_t at, uint64_t size,
                          struct sp_module_proof *proof) {
  uintptr_t end = at + size;
  for (int n = 0; n < MAX_NOTES && end - at >= sizeof(Elf64_Nhdr) + 4 && end > at; n++) {
    Elf64_Nhdr note;
    char name[4];
    if (!sp_reader_copy(reader, 0, at, &note, sizeof note)) return false;
    uint64_t name_size = ((uint64_t)note.n_namesz + 3) & ~(uint64_t)3;
    uint64_t text_size = ((uint64_t)note.n_descsz + 3) & ~(uint64_t)3;
    uint64_t whole = sizeof note + name_size + text_size;
    if (whole > end - at) return false;
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && note.n_descsz >= 4 && note.n_descsz <= SP_BUILD_ID_MAX &&
        sp_reader_copy(reader, 0, at + sizeof note, name, 4) && memcmp(name, "GNU", 4) == 0) {
      uintptr_t text = at + sizeof note + 4;
      if (!sp_reader_copy(reader, 0, text, module->build_id, note.n_descsz)) return false;
      module->build_id_size = note.n_descsz;
      if ((text & 3) == 0) {
        proof->address = text;
        proof->size = 4;
        memcpy(&proof->value, module->build_id, 4);
      }
      return true;
    }
    at += whole;
  }
  return false;
}

// CRC-32C of memory; false if it cannot be read.
static bool crc_of_memory(struct sp_reader *reader, uintptr_t at, size_t size, uint32_t *crc) {
  uint8_t bytes[256];
  for (size_t part; size > 0; at += part, size -= part) {
    part = size < sizeof bytes ? size : sizeof bytes;
    if (!sp_reader_copy(reader, 0, at, bytes, part)) return false;
    *crc = sp_crc32c(*crc, bytes, part);
  }
  return true;
}

// Whether a program header is kept where there are more of them than there is room for.
static bool wanted(uint32_t type) {
  return type == PT_LOAD || type == PT_NOTE || type == PT_GNU_EH_FRAME || type == PT_DYNAMIC;
}

// The end of the page that an address is the end in.
static uintptr_t page_end(uintptr_t address) {
  return (address + SP_READER_PAGE_SIZE - 1) & ~(uintptr_t)(SP_READER_PAGE_SIZE - 1);
}

// What depends on which part of the image the module is: the file offset of its start, its code, and its unwind tables.
void sp_module_place(struct sp_module *module, bool permanent) {
  for (unsigned i = 0; i < module->phdr_count; i++) {
    const struct sp_module_phdr *p = &module->phdrs[i];
    uintptr_t start = module->bias + p->vaddr, end = start + p->memsz;
    if (p->type != PT_LOAD) continue;
    if (module->start >= (start & ~(uintptr_t)(SP_READER_PAGE_SIZE - 1)) && module->start < end)
      module->file_offset = p->offset - (start - module->start);
    if ((p->flags & PF_X) && module->code_end == 0 && start >= module->start && end <= module->end) {
      module->code_start = start;
      module->code_end = end;
    }
    uintptr_t file_end = start + p->filesz;
    if (permanent && (p->flags & PF_R) && module->eh_frame_hdr >= start && module->eh_frame_hdr < file_end) {
      module->tables_start = start & ~(uintptr_t)(SP_READER_PAGE_SIZE - 1);
      module->tables_end = page_end(file_end);
    }
  }
}

// One pass over the program headers; the notes afterwards, because the bias is known only then.
bool sp_module_read_elf(struct sp_reader *reader, struct sp_module *module, struct sp_module_proof *proof) {
  Elf64_Ehdr elf;
  if (!sp_reader_copy(reader, 0, module->image_start, &elf, sizeof elf)) return false;
  if (memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0 || elf.e_ident[EI_CLASS] != ELFCLASS64 || elf.e_machine != OWN_MACHINE ||
      elf.e_phentsize != sizeof(Elf64_Phdr) || elf.e_phnum == 0 || elf.e_phnum > MAX_HEADERS || elf.e_phoff > 1u << 20)
    return false;

  uint32_t crc = sp_crc32c(0, &elf, sizeof elf), count = 0;
  uint64_t lowest = UINT64_MAX, highest = 0;
  uint64_t first_size = 0, eh_vaddr = 0, eh_size = 0;
  bool first_writable = true;
  for (unsigned i = 0; i < elf.e_phnum; i++) {
    Elf64_Phdr p;
    if (!sp_reader_copy(reader, 0, module->image_start + elf.e_phoff + i * sizeof p, &p, sizeof p)) return false;
    crc = sp_crc32c(crc, &p, sizeof p);
    if (p.p_type == PT_LOAD) {
      if (p.p_vaddr < lowest) {
        lowest = p.p_vaddr;
        first_size = p.p_filesz;
        first_writable = (p.p_flags & PF_W) != 0;
      }
      if (p.p_vaddr + p.p_memsz > highest) highest = p.p_vaddr + p.p_memsz;
    } else if (p.p_type == PT_GNU_EH_FRAME) {
      eh_vaddr = p.p_vaddr;
      eh_size = p.p_memsz;
    }
    if (count < SP_PHDRS_MAX && (elf.e_phnum <= SP_PHDRS_MAX || wanted(p.p_type)))
      module->phdrs[count++] =
          (struct sp_module_phdr){p.p_type, p.p_flags, p.p_offset, p.p_vaddr, p.p_filesz, p.p_memsz};
  }
  if (highest == 0) return false;

  module->phdr_count = count;
  module->header_crc = crc;
  module->bias = module->image_start - (lowest & ~(uint64_t)(SP_READER_PAGE_SIZE - 1));
  module->image_end = page_end(module->bias + highest);
  module->flags |= SP_MAPPING_ELF;
  if (eh_size > 0) {
    module->eh_frame_hdr = module->bias + eh_vaddr;
    module->eh_frame_hdr_end = module->eh_frame_hdr + eh_size;
  }
  *proof = (struct sp_module_proof){0};
  for (unsigned i = 0; i < count; i++) {
    const struct sp_module_phdr *p = &module->phdrs[i];
    if (p->type == PT_NOTE && read_build_id(reader, module, module->bias + p->vaddr, p->memsz, proof)) break;
  }
  if (proof->size == 0) { // no build ID: what comes first in the file, symbols and their hashes as a rule
    size_t size = sizeof elf + (size_t)elf.e_phnum * sizeof(Elf64_Phdr);
    if (!first_writable) size = first_size < SP_READER_PAGE_SIZE ? first_size : SP_READER_PAGE_SIZE;
    uint32_t value = 0;
    if (crc_of_memory(reader, module->image_start, size, &value))
      *proof = (struct sp_module_proof){module->image_start, (uint32_t)size, value};
  }
  return true;
}

// Four bytes are compared by the kernel; more are read.
bool sp_module_proof_holds(struct sp_reader *reader, const struct sp_module_proof *proof) {
  if (proof->size == 0) return true;
  if (proof->size == 4) return sp_reader_same(reader, proof->address, proof->value);
  uint32_t crc = 0;
  return crc_of_memory(reader, proof->address, proof->size, &crc) && crc == proof->value;
}

// The kernel's structure is libc's on both machines.
void sp_module_stat(struct sp_module *module) {
  struct stat facts;
  if (module->path[0] != '/') return;
  if (sp_syscall_failed(sp_syscall4(SYS_newfstatat, AT_FDCWD, module->path, &facts, 0))) return;
  module->device = facts.st_dev;
  module->inode = facts.st_ino;
  module->size = (uint64_t)facts.st_size;
  module->mtime_ns = (uint64_t)facts.st_mtim.tv_sec * 1000000000u + (uint64_t)facts.st_mtim.tv_nsec;
}

// The mark says that the name is gone, not what it was.
void sp_module_set_path(struct sp_module *module, const char *path, size_t size) {
  static const char mark[] = " (deleted)";
  size_t length = 0, mark_length = sizeof mark - 1;
  while (length + 1 < size && length + 1 < SP_MODULE_PATH_MAX && path[length] != '\0') length++;
  if (length > mark_length && memcmp(path + length - mark_length, mark, mark_length) == 0) length -= mark_length;
  memcpy(module->path, path, length);
  module->path[length] = '\0';
}
