// What the table of modules says of every loaded image, against the loader's own list, the file system and the files.
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/stat.h>

#include "oracle.h"

#include "modules.h"
#include "statprof_trace.h"

static struct sp_reader *reader;
static int failed, images;

#define CHECK(condition)                                                                     \
  do {                                                                                       \
    if (!(condition)) failed = 1, printf("modules: %s: %s\n", module->path, #condition);     \
  } while (0)

// Bit by bit, apart from the table in the agent.
static uint32_t crc32c(const uint8_t *bytes, size_t size) {
  uint32_t crc = 0xffffffff;
  for (size_t i = 0; i < size; i++) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc;
}

static int check(struct dl_phdr_info *info, size_t size, void *argument) {
  (void)size, (void)argument;
  char path[PATH_MAX];
  uintptr_t start = UINTPTR_MAX, end = 0, code = 0, hdr = 0;
  int is_vdso = 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *p = &info->dlpi_phdr[i];
    uintptr_t at = info->dlpi_addr + p->p_vaddr;
    if (p->p_type == PT_GNU_EH_FRAME) hdr = at;
    if (p->p_type != PT_LOAD) continue;
    if ((at & ~4095ul) < start) start = at & ~4095ul;
    if (at + p->p_memsz > end) end = at + p->p_memsz;
    if (p->p_flags & PF_X) code = at + p->p_memsz / 2;
  }
  is_vdso = start == getauxval(AT_SYSINFO_EHDR);
  const struct sp_module *module = sp_module_find(reader, code);
  if (module == NULL) return failed = 1, printf("modules: none at %lx (%s)\n", (unsigned long)code, info->dlpi_name), 0;
  images++;
  if (is_vdso) strcpy(path, "[vdso]");
  else if (info->dlpi_name[0] == '\0') path[readlink("/proc/self/exe", path, sizeof path - 1)] = '\0';
  else if (realpath(info->dlpi_name, path) == NULL) exit(3);
  char real[PATH_MAX];
  CHECK(strcmp(path, is_vdso ? module->path : realpath(module->path, real)) == 0);
  CHECK(is_vdso || module->path[0] == '/');
  CHECK(module->start == start && module->end >= end && module->end <= (end + 4095) / 4096 * 4096);
  CHECK(module->bias == info->dlpi_addr);
  CHECK(module->file_offset == 0);
  CHECK(module->eh_frame_hdr == hdr && module->eh_frame_hdr_end > hdr);
  CHECK(module->flags == (SP_MAPPING_ELF | (is_vdso ? SP_MAPPING_VDSO : 0)));
  CHECK(module->phdr_count == info->dlpi_phnum);
  CHECK(sp_module_is_code(module, code) && (is_vdso || !sp_module_is_code(module, module->start)));
  CHECK(sp_module_find(reader, code) == module && sp_module_by_number(module->number) == module);
  for (uint32_t i = 0; i < module->phdr_count; i++) {
    const struct sp_module_phdr *own = &module->phdrs[i];
    const ElfW(Phdr) *p = &info->dlpi_phdr[i];
    CHECK(own->type == p->p_type && own->flags == p->p_flags && own->offset == p->p_offset && own->vaddr == p->p_vaddr &&
          own->filesz == p->p_filesz && own->memsz == p->p_memsz);
  }
  if (is_vdso) return 0;

  struct stat facts;
  int file = open(path, O_RDONLY);
  if (file < 0 || fstat(file, &facts) != 0) exit(3);
  CHECK(module->device == facts.st_dev && module->inode == facts.st_ino && module->size == (uint64_t)facts.st_size);
  CHECK(module->mtime_ns == (uint64_t)facts.st_mtim.tv_sec * 1000000000u + (uint64_t)facts.st_mtim.tv_nsec);
  const uint8_t *bytes = mmap(NULL, (size_t)facts.st_size, PROT_READ, MAP_PRIVATE, file, 0);
  close(file);
  const Elf64_Ehdr *elf = (const Elf64_Ehdr *)bytes;
  uint8_t headers[4096];
  memcpy(headers, bytes, sizeof *elf);
  memcpy(headers + sizeof *elf, bytes + elf->e_phoff, elf->e_phnum * sizeof(Elf64_Phdr));
  CHECK(module->header_crc == crc32c(headers, sizeof *elf + elf->e_phnum * sizeof(Elf64_Phdr)));
  const Elf64_Shdr *sections = (const Elf64_Shdr *)(bytes + elf->e_shoff);
  const char *names = (const char *)bytes + sections[elf->e_shstrndx].sh_offset;
  int has_build_id = 0;
  for (int s = 0; s < elf->e_shnum; s++) {
    if (strcmp(names + sections[s].sh_name, ".note.gnu.build-id") != 0) continue;
    has_build_id = 1;
    CHECK(module->build_id_size == sections[s].sh_size - 16 &&
          memcmp(module->build_id, bytes + sections[s].sh_offset + 16, module->build_id_size) == 0);
  }
  CHECK(has_build_id || module->build_id_size == 0);
  munmap((void *)bytes, (size_t)facts.st_size);
  return 0;
}

int main(int argc, char **argv) {
  oracle_begin(argc, argv);
  if (argc > 1 && argv[1][0] == '/' && dlopen(argv[1], RTLD_NOW) == NULL) return 3;
  reader = sp_unwinder_reader(oracle_unwinder);
  dl_iterate_phdr(check, NULL);
  if (sp_module_find(reader, 8) != NULL || sp_module_find(reader, (uintptr_t)malloc(10)) != NULL ||
      sp_module_find(reader, (uintptr_t)&argc) != NULL || sp_module_find(reader, UINTPTR_MAX - 8) != NULL)
    failed = 1, printf("modules: one where there is no code\n");
  printf("modules: %d images\n", images);
  return failed || images < 5;
}
