// Rows that were found are there still when their table is a larger one, up to the largest.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

#include "unwind_internal.h"

enum { ADDRESSES = 60000, CODE = 4 << 20 };

static uintptr_t addresses[ADDRESSES];
static bool known[ADDRESSES];

int main(void) {
  struct sp_unwinder *u = calloc(1, sizeof *u);
  struct sp_module module = {.number = 3, .start = 0x10000000, .end = 0x10000000 + CODE};
  uint64_t state = 1;
  unsigned grown = 0, kept = 0, wrong = 0;
  sp_rows_begin(u);
  for (unsigned n = 0; n < ADDRESSES; n++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    addresses[n] = module.start + (state >> 33) % CODE;
    sp_row_learn(u, &module, addresses[n], NULL);
    for (unsigned i = 0; n % 64 == 0 && i <= n; i++) known[i] = sp_row_is_opaque(u, &module, addresses[i]);
    uint32_t bits = u->row_bits;
    sp_rows_begin(u);
    if (u->row_bits == bits) continue;
    grown++;
    for (unsigned i = 0; i <= n / 64 * 64; i++) {
      bool is = sp_row_is_opaque(u, &module, addresses[i]);
      kept += known[i] && is;
      // Since it was looked, at most 63 others have come, each in the place of one.
      wrong += known[i] && !is;
    }
  }
  sp_unwinder_release(u);
  printf("rows: the table grew %u times, with %u rows in all, and lost %u\n", grown, kept, wrong);
  return grown == (SP_ROW_BITS_MAX - SP_ROW_BITS_FIRST) / SP_ROW_BITS_GROWTH && wrong <= 63 * grown && kept > 20 * wrong && kept > 2000 ? 0 : 1;
}
