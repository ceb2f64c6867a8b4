// Contexts that make no sense, call frame information that was damaged, stacks that are gone: nothing may fault, loop, or
// need more than SP_UNWIND_STACK_SIZE bytes of stack.
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>

#include "oracle.h"

static struct sp_frame frames[ORACLE_FRAMES];
static uint64_t seed = 20240607;
static ucontext_t base, home, small;
static ucontext_t *wanted;
static int engine;
static uint32_t count, capacity;
static uint8_t outcome;
static uint8_t *small_stack;

static uint64_t random_word(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed;
}

// Serves one walk after another on a stack of the promised size, below which nothing is mapped.
static void serve(void) {
  for (;;) {
    count = sp_unwind(oracle_unwinder, wanted, engine, frames, capacity, &outcome);
    swapcontext(&small, &home);
  }
}

static uint32_t unwind(ucontext_t *context, int with_engine) {
  wanted = context;
  engine = with_engine;
  capacity = 1 + (uint32_t)(random_word() % ORACLE_FRAMES);
  swapcontext(&home, &small);
  if (count < 1 || count > capacity || outcome > 9) {
    printf("garbage: %u frames of %u, outcome %u\n", count, capacity, outcome);
    exit(1);
  }
  return count;
}

struct code_ranges {
  uintptr_t start[64], size[64];
  unsigned count;
};

static int collect_code(struct dl_phdr_info *info, size_t size, void *argument) {
  (void)size;
  struct code_ranges *ranges = argument;
  for (int i = 0; i < info->dlpi_phnum && ranges->count < 64; i++) {
    if (info->dlpi_phdr[i].p_type != PT_LOAD || !(info->dlpi_phdr[i].p_flags & PF_X)) continue;
    ranges->start[ranges->count] = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
    ranges->size[ranges->count++] = info->dlpi_phdr[i].p_memsz;
  }
  return 0;
}

static void random_contexts(long rounds) {
  static struct code_ranges code;
  dl_iterate_phdr(collect_code, &code);
  long outcomes[10] = {0};
  uintptr_t here = (uintptr_t)&here;
  char *hole = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(hole + 8 * 4096, 8 * 4096); // readable memory that ends
  for (long i = 0; i < rounds; i++) {
    ucontext_t context = base;
    greg_t *r = context.uc_mcontext.gregs;
    unsigned range = (unsigned)(random_word() % code.count);
    uint64_t kind = random_word();
    for (int g = 0; g < REG_RIP; g++)
      if (random_word() & 1) r[g] = (greg_t)random_word();
    r[REG_RIP] = kind & 1 ? (greg_t)random_word() : (greg_t)(code.start[range] + random_word() % code.size[range]);
    switch ((kind >> 1) % 6) {
    case 0: r[REG_RSP] = (greg_t)random_word(); break;
    case 1: r[REG_RSP] = (greg_t)((here & ~7ul) + random_word() % 4096); break;
    case 2: r[REG_RSP] = (greg_t)((uintptr_t)hole + 8 * 4096 - random_word() % 64); break;
    case 3: r[REG_RSP] = (greg_t)(random_word() % 65536); break;
    case 4: r[REG_RSP] = -(greg_t)(random_word() % 65536); break;
    default: r[REG_RSP] = (greg_t)(here & ~15ul); break;
    }
    switch ((kind >> 8) % 4) {
    case 0: r[REG_RBP] = r[REG_RSP] + (greg_t)(random_word() % 512); break;
    case 1: r[REG_RBP] = (greg_t)random_word(); break;
    case 2: r[REG_RBP] = (greg_t)((uintptr_t)hole + 8 * 4096 - 8); break;
    default: r[REG_RBP] = 0;
    }
    unwind(&context, (int)((kind >> 16) % 3));
    outcomes[outcome]++;
  }
  printf("garbage: %ld contexts, outcomes", rounds);
  for (int i = 0; i < 10; i++) printf(" %d:%ld", i, outcomes[i]);
  printf("\n");
}

static const char *library, *folder;
static uint8_t *bytes; // of the library
static size_t bytes_size;

static void read_library(void) {
  struct stat facts;
  int file = open(library, O_RDONLY);
  if (file < 0 || fstat(file, &facts) != 0) exit(3);
  bytes_size = (size_t)facts.st_size;
  bytes = malloc(bytes_size);
  if (read(file, bytes, bytes_size) != facts.st_size) exit(3);
  close(file);
}

// The section whose name begins so, after `previous`.
static const Elf64_Shdr *next_section(const char *name, const Elf64_Shdr *previous) {
  const Elf64_Ehdr *elf = (const Elf64_Ehdr *)bytes;
  const Elf64_Shdr *sections = (const Elf64_Shdr *)(bytes + elf->e_shoff), *end = sections + elf->e_shnum;
  const char *names = (const char *)bytes + sections[elf->e_shstrndx].sh_offset;
  for (const Elf64_Shdr *s = previous == NULL ? sections : previous + 1; s < end; s++)
    if (strncmp(names + s->sh_name, name, strlen(name)) == 0) return s;
  return NULL;
}

// Loads a changed copy, calls `walk` with its bias for each address of code, and unloads it.
static long walk_copy(const uint8_t *copy, int round, void (*walk)(uintptr_t bias, uintptr_t address)) {
  char path[512];
  long walks = 0;
  const Elf64_Shdr *text = next_section(".text", NULL);
  snprintf(path, sizeof path, "%s/copy%d.so", folder, round);
  int out = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0700);
  if (out < 0 || write(out, copy, bytes_size) != (ssize_t)bytes_size) exit(3);
  close(out);
  void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (handle == NULL) exit(3);
  uintptr_t bias = ((struct link_map *)handle)->l_addr;
  for (uint64_t pc = text->sh_addr; pc < text->sh_addr + text->sh_size; pc++, walks++) walk(bias, bias + pc);
  dlclose(handle);
  unlink(path);
  return walks;
}

static void walk_once(uintptr_t bias, uintptr_t address) {
  (void)bias;
  ucontext_t context = base;
  context.uc_mcontext.gregs[REG_RIP] = (greg_t)address;
  unwind(&context, 0);
}

// Damages the call frame information of copies of the library and walks from each of their addresses.
static void damaged_tables(int rounds) {
  long walks = 0;
  uint8_t *copy = malloc(bytes_size);
  for (int round = 0; round < rounds; round++) {
    memcpy(copy, bytes, bytes_size);
    for (const Elf64_Shdr *s = NULL; (s = next_section(".eh_frame", s)) != NULL;) {
      for (int flips = 1 + (int)(random_word() % 24); flips > 0; flips--) {
        uint64_t at = s->sh_offset + random_word() % s->sh_size;
        copy[at] = random_word() & 1 ? (uint8_t)random_word() : (uint8_t)(copy[at] ^ 1u << random_word() % 8);
      }
    }
    walks += walk_copy(copy, round, walk_once);
  }
  free(copy);
  printf("garbage: %d damaged libraries, %ld walks\n", rounds, walks);
}

static uint64_t digest;
static long long_walks;

// Adds what a walk found to the digest: addresses in the copy by their distance from its bias. Every word of its stack is a
// return address.
static void walk_and_digest(uintptr_t bias, uintptr_t address) {
  static uintptr_t stack[1024];
  for (int i = 0; i < 1024; i++) stack[i] = (uintptr_t)read_library + 8;
  ucontext_t context = base;
  context.uc_mcontext.gregs[REG_RIP] = (greg_t)address;
  context.uc_mcontext.gregs[REG_RSP] = context.uc_mcontext.gregs[REG_RBP] = (greg_t)stack;
  wanted = &context;
  engine = 1;
  capacity = 16;
  swapcontext(&home, &small);
  long_walks += count > 1;
  digest = digest * 31 + count * 16 + outcome;
  for (uint32_t i = 0; i < count; i++)
    digest = digest * 31 + (frames[i].address - bias < bytes_size ? frames[i].address - bias : frames[i].address);
}

// A library whose .eh_frame_hdr says that it has no sorted table must give the same walks as with it.
static void without_table(void) {
  uint8_t *copy = malloc(bytes_size);
  memcpy(copy, bytes, bytes_size);
  walk_copy(copy, 1000, walk_and_digest);
  uint64_t with = digest;
  digest = 0;
  memset(copy + next_section(".eh_frame_hdr", NULL)->sh_offset + 2, 0xff, 2); // encodings of count and table: omitted
  long walks = walk_copy(copy, 1001, walk_and_digest);
  free(copy);
  printf("garbage: %ld walks without a table, %ld of more than a frame\n", walks, long_walks);
  if (digest != with || long_walks == 0) printf("garbage: other walks with the table than without\n"), exit(1);
}

static ucontext_t coroutine, after;
static ucontext_t caught;

static void on_user(int number, siginfo_t *info, void *context) {
  (void)number, (void)info;
  caught = *(ucontext_t *)context;
  oracle_compare(context);
}

__attribute__((noinline)) static void in_coroutine(void) { raise(SIGUSR1); }

// A walk on a coroutine's stack, then the same one when that stack is no longer mapped.
static void lost_stack(void) {
  size_t size = 256 * 1024;
  for (volatile int i = 0; i < 40; i++) { // often enough for the thread's own stack to be known
    char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    getcontext(&coroutine);
    coroutine.uc_stack.ss_sp = stack;
    coroutine.uc_stack.ss_size = size;
    coroutine.uc_link = &after;
    makecontext(&coroutine, in_coroutine, 0);
    swapcontext(&after, &coroutine);
    munmap(stack, size);
    unwind(&caught, i % 3);
    if (outcome < 4) {
      printf("garbage: outcome %u on a stack that is gone\n", outcome);
      exit(1);
    }
  }
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  oracle_begin(argc, argv);
  if (argc < 3) return 3;
  uint8_t *room = mmap(NULL, SP_UNWIND_STACK_SIZE + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  small_stack = room + 4096;
  mprotect(small_stack, SP_UNWIND_STACK_SIZE, PROT_READ | PROT_WRITE);
  memset(small_stack, 0xa5, SP_UNWIND_STACK_SIZE);
  getcontext(&small);
  small.uc_stack.ss_sp = small_stack;
  small.uc_stack.ss_size = SP_UNWIND_STACK_SIZE;
  makecontext(&small, serve, 0);
  getcontext(&base);

  struct sigaction action = {.sa_sigaction = on_user, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &action, NULL);
  lost_stack();
  if (oracle_end("coroutine", 40) != 0) return 1;
  library = argv[1];
  folder = argv[2];
  read_library();
  without_table();
  random_contexts(100000);
  damaged_tables(60);
  unsigned untouched = 0;
  while (small_stack[untouched] == 0xa5) untouched++;
  printf("garbage: %u bytes of stack at most\n", SP_UNWIND_STACK_SIZE - untouched);
  return 0;
}
