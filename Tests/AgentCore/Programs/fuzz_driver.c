// Runs fuzz_cfi.c without a fuzzing engine: fuzz_driver RUNS SEED SEED_FILES... Inputs are the seeds, each changed in a few places; the
// same arguments give the same changes. They run on a stack of the size that the unwinder is promised, below which
// nothing can be written; how much of it was used is told at the end.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "fuzz_input.h"
#include "sampler.h"
#include "stack_unwind.h"

#define INPUT_MAX (sizeof(struct fuzz_input) + FUZZ_IMAGE_MAX)
#define PAINT 0xa5
#define FILES_MAX 1000
#if defined(__SANITIZE_ADDRESS__) // frames are larger then
#define PROMISED (2 * SP_UNWIND_STACK_SIZE)
#else
#define PROMISED SP_UNWIND_STACK_SIZE
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
  uint8_t bytes[INPUT_MAX];
  size_t size;
};

static struct input seeds[FILES_MAX], current;
static unsigned seed_count;
static uint64_t state;

static uint64_t random_word(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

static void read_seed(const char *path) {
  FILE *file = fopen(path, "r");
  if (file == NULL || seed_count == FILES_MAX) exit(3);
  seeds[seed_count].size = fread(seeds[seed_count].bytes, 1, INPUT_MAX, file);
  fclose(file);
  seed_count++;
}

// One change: a bit, a byte, a number of several bytes, or a piece of another seed.
static void change(struct input *input) {
  static const uint32_t edges[] = {0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff};
  size_t at = random_word() % input->size;
  switch (random_word() % 5) {
  case 0: input->bytes[at] ^= (uint8_t)(1u << random_word() % 8); break;
  case 1: input->bytes[at] = (uint8_t)random_word(); break;
  case 2: {
    uint32_t edge = edges[random_word() % (sizeof edges / sizeof *edges)];
    size_t size = (size_t)1 << random_word() % 3;
    if (at + size <= input->size) memcpy(input->bytes + at, &edge, size);
    break;
  }
  case 3: {
    const struct input *other = &seeds[random_word() % seed_count];
    size_t from = random_word() % other->size, size = 1 + random_word() % 64;
    if (size > other->size - from) size = other->size - from;
    if (size > input->size - at) size = input->size - at;
    memcpy(input->bytes + at, other->bytes + from, size);
    break;
  }
  default: input->size = random_word() % 8 == 0 ? at + 1 : input->size; // cut short, seldom
  }
}

static void run(void *unused) {
  (void)unused;
  LLVMFuzzerTestOneInput(current.bytes, current.size);
}

int main(int argc, char **argv) {
  if (argc < 4) return 64;
  long runs = atol(argv[1]);
  state = 0x9e3779b97f4a7c15u ^ strtoull(argv[2], NULL, 10);
  for (int i = 3; i < argc; i++) read_seed(argv[i]);
  // The fuzzed function's own frames are on it besides the unwinder's: a page for them.
  size_t size = PROMISED + 4096;
  uint8_t *room = mmap(NULL, 4096 + size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *stack = room + 4096;
  if (room == MAP_FAILED || mprotect(stack, size, PROT_READ | PROT_WRITE) != 0) return 3;
  memset(stack, PAINT, size);
  for (long i = 0; i < runs; i++) {
    const struct input *seed = &seeds[i % seed_count];
    memcpy(current.bytes, seed->bytes, seed->size);
    current.size = seed->size;
    for (uint64_t changes = i < (long)seed_count ? 0 : 1 + random_word() % 8; changes > 0; changes--) change(&current);
    sp_call_on_stack(stack + size, run, NULL);
  }
  size_t untouched = 0;
  while (untouched < size && stack[untouched] == PAINT) untouched++;
  printf("Done %ld runs, %zu bytes of stack at most\n", runs, size - untouched);
  return size - untouched > PROMISED;
}
