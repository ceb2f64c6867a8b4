// Inputs for fuzz_cfi.c out of every image in this process: its headers, and each distinct description of its call frame
// information with its CIE, as a module of its own. Argument: the folder to write them to.
#define _GNU_SOURCE
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_input.h"

#define SEEDS_MAX 300
#define ENTRY_MAX 600
#define CODE_AT 4096 // where in the image the function is that the description is moved to

static const char *folder;
static unsigned seeds;
static uint64_t seen[SEEDS_MAX + 1];

// The whole entry's size in bytes, its length field included; 0 for what is too long.
static uint32_t entry_size(const uint8_t *entry) {
  uint32_t length;
  memcpy(&length, entry, sizeof length);
  return length < ENTRY_MAX ? length + 4 : 0;
}

// Whether a description of these bytes, but for the place of its function, was not there yet.
static int is_new(const uint8_t *cie, uint32_t cie_size, const uint8_t *fde, uint32_t fde_size) {
  uint64_t hash = 14695981039346656037u;
  for (uint32_t i = 0; i < cie_size; i++) hash = (hash ^ cie[i]) * 1099511628211u;
  for (uint32_t i = 16; i < fde_size; i++) hash = (hash ^ fde[i]) * 1099511628211u;
  for (unsigned i = 0; i < seeds; i++)
    if (seen[i] == hash) return 0;
  seen[seeds] = hash;
  return 1;
}

static void write_file(const uint8_t *bytes, size_t size) {
  char path[4096];
  snprintf(path, sizeof path, "%s/seed-%03u", folder, seeds++);
  FILE *file = fopen(path, "w");
  if (file == NULL || fwrite(bytes, size, 1, file) != 1 || fclose(file) != 0) exit(1);
}

// An input whose image is the beginning of an ELF file: headers and notes.
static void write_headers(const uint8_t *elf) {
  static uint8_t bytes[sizeof(struct fuzz_input) + 1024];
  memcpy(bytes + sizeof(struct fuzz_input), elf, 1024);
  write_file(bytes, sizeof bytes);
}

// An input in which `fde` describes what is at CODE_AT, looked up `distance` bytes in.
static void write_seed(const uint8_t *cie, uint32_t cie_size, const uint8_t *fde, uint32_t fde_size, uint32_t distance) {
  static uint8_t bytes[sizeof(struct fuzz_input) + 20 + 2 * ENTRY_MAX + 16];
  struct fuzz_input *input = (struct fuzz_input *)bytes;
  uint8_t *image = bytes + sizeof *input;
  memset(bytes, 0, sizeof bytes);
  uint32_t cie_at = 20, fde_at = cie_at + cie_size, end = fde_at + fde_size + 4; // four zero bytes end the section
  int32_t header[5] = {0x3b031b01, (int32_t)cie_at - 4, 1, CODE_AT, (int32_t)fde_at};
  memcpy(image, header, sizeof header);
  memcpy(image + cie_at, cie, cie_size);
  memcpy(image + fde_at, fde, fde_size);
  int32_t cie_back = (int32_t)(fde_at + 4 - cie_at), code = CODE_AT - (int32_t)(fde_at + 8);
  memcpy(image + fde_at + 4, &cie_back, sizeof cie_back);
  memcpy(image + fde_at + 8, &code, sizeof code);
  uint32_t address = CODE_AT + distance;
  input->flags = (uint8_t)(seeds % 64);
  input->address[0] = (uint8_t)address;
  input->address[1] = (uint8_t)(address >> 8);
  input->header_size[0] = 20;
  input->expression[0] = (uint8_t)(fde_at + 16 + seeds % 32);
  input->expression[1] = (uint8_t)((fde_at + 16 + seeds % 32) >> 8);
  for (unsigned i = 0; i < FUZZ_REGISTERS; i++) input->registers[i] = (struct fuzz_word){FUZZ_STACK, {(uint8_t)(i * 8), 1}};
  for (unsigned i = 0; i < FUZZ_STACK_WORDS; i++)
    input->stack[i] = (struct fuzz_word){i % 3 == 0 ? FUZZ_IMAGE : FUZZ_STACK, {(uint8_t)(i * 16 + 1), i % 3 == 0 ? CODE_AT / 256 : 2}};
  write_file(bytes, sizeof *input + end);
}

// Goes through the sorted table of an image.
static int visit(struct dl_phdr_info *info, size_t size, void *unused) {
  (void)size, (void)unused;
  const uint8_t *header = NULL;
  for (int i = 0; i < info->dlpi_phnum; i++)
    if (info->dlpi_phdr[i].p_type == PT_GNU_EH_FRAME) header = (const uint8_t *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
  if (header == NULL || memcmp(header, "\x01\x1b\x03\x3b", 4) != 0) return 0;
  uint32_t count;
  memcpy(&count, header + 8, sizeof count);
  if (info->dlpi_addr != 0) write_headers((const uint8_t *)info->dlpi_addr);
  // From each image a share of what there is room for.
  unsigned share = seeds + SEEDS_MAX / 3 < SEEDS_MAX ? seeds + SEEDS_MAX / 3 : SEEDS_MAX;
  for (uint32_t i = 0; i < count && seeds < share; i++) {
    int32_t entry[2], back, range;
    memcpy(entry, header + 12 + 8 * (size_t)i, sizeof entry);
    const uint8_t *fde = header + entry[1];
    memcpy(&back, fde + 4, sizeof back);
    memcpy(&range, fde + 12, sizeof range);
    const uint8_t *cie = fde + 4 - back;
    uint32_t cie_size = entry_size(cie), fde_size = entry_size(fde);
    if (cie_size < 12 || fde_size < 20 || range <= 0 || !is_new(cie, cie_size, fde, fde_size)) continue;
    write_seed(cie, cie_size, fde, fde_size, (uint32_t)range / 2 % (FUZZ_IMAGE_MAX - CODE_AT));
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc != 2) return 64;
  folder = argv[1];
  dl_iterate_phdr(visit, NULL);
  printf("%u seeds\n", seeds);
  return seeds < 50;
}
