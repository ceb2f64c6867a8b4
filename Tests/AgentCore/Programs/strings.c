// The C library's string functions, through pointers and PLT. Argument: rounds.
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <wchar.h>

#define SIZE 4096

static char a[SIZE], b[SIZE];
static wchar_t wide[SIZE];
static volatile size_t sink;

static void *(*volatile copy)(void *, const void *, size_t) = memcpy;
static void *(*volatile move)(void *, const void *, size_t) = memmove;
static void *(*volatile fill)(void *, int, size_t) = memset;
static size_t (*volatile length)(const char *) = strlen;
static char *(*volatile find)(const char *, int) = strchr;
static int (*volatile compare)(const void *, const void *, size_t) = memcmp;
static char *(*volatile search)(const char *, const char *) = strstr;

__attribute__((noinline)) static void round_of(size_t i) {
  size_t n = i * 7919 % (SIZE - 100);
  copy(b, a, n);
  move(b + 3, b, n);
  b[n] = 0;
  sink += length(b) + (find(b, 'y') != NULL) + (size_t)compare(a, b, n) + (search(b, "xy") != NULL);
  sink += strspn(b, "x") + strcspn(b, "z") + (size_t)strcmp(a, b) + (strrchr(a, 'q') != NULL) + (memchr(a, 'q', n) != NULL);
  fill(b, (int)i, n);
  strncpy(b, a, n);
  b[n] = 0;
  sink += (size_t)strcasecmp(a, b) + wcslen(wide) + (memrchr(a, 'q', n) != NULL);
  stpcpy(b, a);
}

int main(int argc, char **argv) {
  fill(a, 'x', SIZE - 1);
  wmemset(wide, L'x', SIZE - 1);
  for (long i = 0, rounds = argc > 1 ? atol(argv[1]) : 1000; i < rounds; i++) round_of((size_t)i);
  return 0;
}
