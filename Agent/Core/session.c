#define _GNU_SOURCE // environ, program_invocation_short_name
#include "session.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent.h"
#include "message.h"
#include "output_name.h"
#include "proc_facts.h"
#include "raw_syscall.h"

#define VARIABLE "STATPROF_SESSION="
#define ID_DIGITS 32
#define ENVIRONMENT_ROOM 512
#define DEFAULT_PATTERN "statprof.%e.%p.bin"

// Written at load, and `text` again before an exec.
static struct {
  char text[sizeof VARIABLE + ID_DIGITS + 64 + 2 * SP_PATTERN_MAX];
  char *list[ENVIRONMENT_ROOM];
} session;
// The value of a hexadecimal digit, -1 for another character.
static int hex_digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

// Reads the decimal number at *p, if there is one, and moves *p past it.
static uint64_t number(const char **p) {
  uint64_t n = 0;
  for (; **p >= '0' && **p <= '9'; ++*p) n = n * 10 + (uint64_t)(**p - '0');
  return n;
}

// Takes id, first process, exec generation and sp_agent.pattern from a session's text. False: it is not one.
static bool parse(const char *text) {
  for (unsigned i = 0; i < ID_DIGITS; i++) {
    int digit = hex_digit(text[i]);
    if (digit < 0) return false;
    sp_agent.session_id[i / 2] = (uint8_t)(sp_agent.session_id[i / 2] << 4 | digit);
  }
  const char *p = text + ID_DIGITS;
  if (*p++ != ':') return false;
  sp_agent.first_pid = (uint32_t)number(&p);
  sp_agent.exec_generation = 0;
  if (*p == '.') {
    p++;
    uint64_t pid = number(&p);
    if (*p++ != '.') return false;
    uint64_t images = number(&p);
    if (pid == sp_agent.pid) sp_agent.exec_generation = (uint16_t)(images > UINT16_MAX ? UINT16_MAX : images);
  }
  if (*p++ != ':' || *p != '/' || strlen(p) >= sizeof sp_agent.pattern) return false;
  strcpy(sp_agent.pattern, p);
  return true;
}

// Whether `text` ends with `end`.
static bool ends_with(const char *text, const char *end) {
  size_t a = strlen(text), b = strlen(end);
  return a >= b && strcmp(text + a - b, end) == 0;
}

// Begins a run: a new id, this process the first of it.
static bool begin(void) {
  const char *out = sp_agent.options.out != NULL ? sp_agent.options.out : DEFAULT_PATTERN;
  size_t length = 0;
  if (out[0] != '/') {
    long size = sp_syscall2(SYS_getcwd, sp_agent.pattern, SP_PATTERN_MAX);
    if (size <= 1 || sp_agent.pattern[0] != '/') {
      static const char *const parts[] = {"no profile: the working directory has no name"};
      sp_message(parts, 1);
      return false;
    }
    length = (size_t)size - 1;
    if (length > 1) sp_agent.pattern[length++] = '/';
  }
  strcpy(sp_agent.pattern + length, out);
  sp_random(sp_agent.session_id, sizeof sp_agent.session_id);
  sp_agent.first_pid = sp_agent.pid;
  sp_agent.exec_generation = 0;
  return true;
}

// Copies a text to *p and moves *p past it.
static void append(char **p, const char *piece) {
  size_t size = strlen(piece);
  memcpy(*p, piece, size + 1);
  *p += size;
}

// Writes the variable's text. With `images` it says that this process exec'd.
static void write_text(uint32_t images) {
  static const char digits[] = "0123456789abcdef";
  char decimal[SP_NUMBER_MAX];
  char *p = session.text;
  append(&p, VARIABLE);
  for (unsigned i = 0; i < sizeof sp_agent.session_id; i++) {
    *p++ = digits[sp_agent.session_id[i] >> 4];
    *p++ = digits[sp_agent.session_id[i] & 15];
  }
  append(&p, ":");
  append(&p, sp_decimal(decimal, sp_agent.first_pid));
  if (images > 0) {
    append(&p, ".");
    append(&p, sp_decimal(decimal, sp_agent.pid));
    append(&p, ".");
    append(&p, sp_decimal(decimal, images));
  }
  append(&p, ":");
  append(&p, sp_agent.pattern);
}

// Puts the variable into the environment: in the place of the one that is there, or at the end of a copy of the list.
static void publish(void) {
  size_t count = 0;
  for (; environ != NULL && environ[count] != NULL; count++) {
    if (strncmp(environ[count], VARIABLE, sizeof VARIABLE - 1) != 0) continue;
    environ[count] = session.text;
    return;
  }
  char **list = session.list;
  if (count + 2 > ENVIRONMENT_ROOM) {
    long memory = sp_syscall6(SYS_mmap, 0, (long)((count + 2) * sizeof *list), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (sp_syscall_failed(memory)) return;
    list = (char **)memory;
  }
  if (count > 0) memcpy(list, environ, count * sizeof *list);
  list[count] = session.text;
  list[count + 1] = NULL;
  environ = list;
}

bool sp_session_join(void) {
  const char *text = sp_agent.options.session;
  // A sp_agent.pattern that was changed on the way to this process is a new run's.
  bool joined = text != NULL && parse(text) && (sp_agent.options.out == NULL || ends_with(sp_agent.pattern, sp_agent.options.out));
  if (!joined && !begin()) return false;
  if (sp_agent.first_pid == 0) sp_agent.first_pid = sp_agent.pid;
  sp_agent.first_process = sp_agent.first_pid == sp_agent.pid;
  sp_agent.owned_pattern = !sp_output_pattern_has_pid(sp_agent.pattern);
  if (!sp_agent.first_process && !sp_agent.options.children) return false;
  write_text(0);
  publish();
  return true;
}

const char *sp_session_exec(bool recorded) {
  write_text(sp_agent.exec_generation + (recorded ? 1u : 0u));
  return session.text;
}

bool sp_session_is_variable(const char *entry) { return strncmp(entry, VARIABLE, sizeof VARIABLE - 1) == 0; }
