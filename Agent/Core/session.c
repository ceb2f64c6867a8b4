#define _GNU_SOURCE // environ, program_invocation_short_name
#include "session.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent.h"
#include "memory_reader.h"
#include "message.h"
#include "output_name.h"
#include "private_memory.h"
#include "proc_facts.h"
#include "raw_syscall.h"

#define VARIABLE "STATPROF_SESSION="
#define NAME_SIZE (sizeof VARIABLE - 1)
#define ID_DIGITS 32
#define ENVIRONMENT_ROOM 512
#define DEFAULT_PATTERN "statprof.%e.%p.bin"

#define PREFIX_MAX (sizeof VARIABLE + ID_DIGITS + 64)
#define TEXT_MAX (PREFIX_MAX + 2 * SP_PATTERN_MAX)

// Written at load: the variable's text, which ends with the pattern, and where it is. One that is not long lies in a page that is written
// to anyway.
static char short_text[256] SP_HOT, long_text[TEXT_MAX];
static char *text SP_HOT;
static char exec_text[TEXT_MAX];
static char *list[ENVIRONMENT_ROOM];

// The value of a hexadecimal digit, -1 for another character.
static int hex_digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

// Reads the decimal number at *p, if there is one, and moves *p past it.
static uint64_t number(const char **p) {
  uint64_t n = 0;
  for (; **p >= '0' && **p <= '9'; ++*p) n = n * 10 + (uint64_t)(**p - '0');
  return n;
}

// Takes id, first process and exec generation from a session's value. Returns where its pattern is, or NULL: it is not one.
static const char *parse(const char *value) {
  for (unsigned i = 0; i < ID_DIGITS; i++) {
    int digit = hex_digit(value[i]);
    if (digit < 0) return NULL;
    sp_agent.session_id[i / 2] = (uint8_t)(sp_agent.session_id[i / 2] << 4 | digit);
  }
  const char *p = value + ID_DIGITS;
  if (*p++ != ':') return NULL;
  sp_agent.first_pid = (uint32_t)number(&p);
  sp_agent.exec_generation = 0;
  if (*p == '.') {
    p++;
    uint64_t pid = number(&p);
    if (*p++ != '.') return NULL;
    uint64_t images = number(&p);
    if (pid == sp_agent.pid) sp_agent.exec_generation = (uint16_t)(images > UINT16_MAX ? UINT16_MAX : images);
  }
  return *p++ == ':' && *p == '/' && strlen(p) < 2 * SP_PATTERN_MAX ? p : NULL;
}

// Whether `text` ends with `end`.
static bool ends_with(const char *text, const char *end) {
  size_t a = strlen(text), b = strlen(end);
  return a >= b && strcmp(text + a - b, end) == 0;
}

// Copies a text to *p and moves *p past it.
static void append(char **p, const char *piece) {
  size_t size = strlen(piece);
  memcpy(*p, piece, size + 1);
  *p += size;
}

// Writes the variable's text, up to the pattern, to `to`, and returns its end. With `images` it says that this process exec'd.
static char *write_prefix(char *to, uint32_t images) {
  static const char digits[] = "0123456789abcdef";
  char decimal[SP_NUMBER_MAX];
  char *p = to;
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
  return p;
}

// Whether an entry of the environment is the session's.
static bool is_variable(const char *entry) { return entry[0] == VARIABLE[0] && strncmp(entry, VARIABLE, NAME_SIZE) == 0; }

// Puts the variable into the environment: in the place of the one that is there, or at the end of a copy of the list.
static void publish(void) {
  size_t count = 0;
  for (; environ != NULL && environ[count] != NULL; count++) {
    if (!is_variable(environ[count])) continue;
    environ[count] = text;
    return;
  }
  char **copy = list;
  if (count + 2 > ENVIRONMENT_ROOM) {
    long memory = sp_syscall6(SYS_mmap, 0, (long)((count + 2) * sizeof *copy), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (sp_syscall_failed(memory)) return;
    copy = (char **)memory;
  }
  if (count > 0) memcpy(copy, environ, count * sizeof *copy);
  copy[count] = text;
  copy[count + 1] = NULL;
  environ = copy;
}

// Begins a run: a new id, this process the first of it.
static bool begin(void) {
  const char *out = sp_agent.options.out != NULL ? sp_agent.options.out : DEFAULT_PATTERN;
  sp_random(sp_agent.session_id, sizeof sp_agent.session_id);
  sp_agent.first_pid = sp_agent.pid;
  sp_agent.exec_generation = 0;
  text = long_text;
  char *p = write_prefix(text, 0);
  sp_agent.pattern = p;
  if (out[0] != '/') {
    long size = sp_syscall2(SYS_getcwd, p, SP_PATTERN_MAX);
    if (size <= 1 || p[0] != '/') {
      static const char *const parts[] = {"no profile: the working directory has no name"};
      sp_message(parts, 1);
      return false;
    }
    p += size - 1;
    if (p[-1] != '/') *p++ = '/';
  }
  append(&p, out);
  publish();
  return true;
}

// Becomes part of the run that the environment tells of. False: there is none, or another pattern has been set since.
static bool join(void) {
  const char *pattern = sp_agent.options.session == NULL ? NULL : parse(sp_agent.options.session);
  if (pattern == NULL || (sp_agent.options.out != NULL && !ends_with(pattern, sp_agent.options.out))) return false;
  bool first = sp_agent.first_pid == 0;
  if (first) sp_agent.first_pid = sp_agent.pid;
  text = PREFIX_MAX + strlen(pattern) < sizeof short_text ? short_text : long_text;
  char *p = write_prefix(text, 0);
  sp_agent.pattern = p;
  append(&p, pattern);
  if (first) publish(); // else the environment says it already
  return true;
}

bool sp_session_join(void) {
  if (!join() && !begin()) return false;
  sp_agent.first_process = sp_agent.first_pid == sp_agent.pid;
  sp_agent.owned_pattern = !sp_output_pattern_has_pid(sp_agent.pattern);
  return sp_agent.first_process || sp_agent.options.children;
}

const char *sp_session_exec(bool recorded) {
  char *p = write_prefix(exec_text, sp_agent.exec_generation + (recorded ? 1u : 0u));
  append(&p, sp_agent.pattern);
  return exec_text;
}

void sp_session_off(bool off) {
  for (char **e = environ; e != NULL && *e != NULL; e++)
    if (is_variable(*e) && (*e)[NAME_SIZE] != 0) (*e)[NAME_SIZE] = off ? SP_SESSION_OFF : text[NAME_SIZE];
}

bool sp_session_is_variable(const char *entry) { return sp_text_readable(entry, NAME_SIZE) && is_variable(entry); }
