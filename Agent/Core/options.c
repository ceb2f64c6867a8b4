#include "options.h"

#include <stddef.h>
#include <string.h>

#include "message.h"
#include "statprof_trace.h"

#define DEFAULT_FREQUENCY 1000
#define MAX_FREQUENCY 10000
#define DEFAULT_MAX_SIZE (1ull << 30)

// Tells on stderr that `value` of the variable `name` is not usable; `expected` says what is.
static void say_bad(const char *name, const char *value, const char *expected) {
  const char *shown = value[0] == 0 || strlen(value) >= SP_PATTERN_MAX ? "(empty, or a long text)" : value;
  const char *parts[] = {name, "=", shown, " is not ", expected, "; using the default"};
  sp_message(parts, 6);
}

// Parses a decimal number at *text and moves *text past it. False if there is none or it passes 2^53.
static bool parse_number(const char **text, uint64_t *number) {
  const char *p = *text;
  uint64_t n = 0;
  if (*p < '0' || *p > '9') return false;
  for (; *p >= '0' && *p <= '9'; p++) {
    n = n * 10 + (uint64_t)(*p - '0');
    if (n > (1ull << 53)) return false;
  }
  *text = p;
  *number = n;
  return true;
}

// The next ones read a value to `*result`. NULL, or if it makes no sense what would.

// 0 or 1.
static const char *read_switch(const char *value, bool *result) {
  if (strcmp(value, "0") != 0 && strcmp(value, "1") != 0) return "0 or 1";
  *result = value[0] == '1';
  return NULL;
}

// A rate, 1 to MAX_FREQUENCY.
static const char *read_frequency(const char *value, uint32_t *result) {
  uint64_t n;
  if (!parse_number(&value, &n) || *value != 0 || n < 1 || n > MAX_FREQUENCY) return "a number from 1 to 10000";
  *result = (uint32_t)n;
  return NULL;
}

// A number of bytes, with k, M or G.
static const char *read_size(const char *value, uint64_t *result) {
  uint64_t n;
  if (parse_number(&value, &n) && n > 0) {
    unsigned shift = 0;
    if (*value == 'k' || *value == 'K') shift = 10;
    if (*value == 'm' || *value == 'M') shift = 20;
    if (*value == 'g' || *value == 'G') shift = 30;
    if (shift != 0) value++;
    if (*value == 0 && n < (1ull << (63 - shift))) {
      *result = n << shift;
      return NULL;
    }
  }
  return "a size such as 64M or 1G";
}

struct choice {
  const char *name;
  uint8_t value;
};

// One of several names; `expected` lists them.
static const char *read_choice(const char *value, const struct choice *choices, size_t count, const char *expected, uint8_t *result) {
  for (size_t i = 0; i < count; i++) {
    if (strcmp(value, choices[i].name) != 0) continue;
    *result = choices[i].value;
    return NULL;
  }
  return expected;
}

// The name of a file, with what an output's name may hold.
static const char *read_pattern(const char *value, const char **result) {
  if (value[0] == 0 || strlen(value) >= SP_PATTERN_MAX) return "the name of a file";
  *result = value;
  return NULL;
}

// Reads one variable; one with a name that means nothing is left alone.
static const char *read_variable(const char *name, const char *value, struct sp_options *o) {
  static const struct choice clocks[] = {{"auto", SP_CLOCK_AUTO}, {"itimer", SP_CLOCK_ITIMER}, {"thread", SP_CLOCK_THREAD},
                                         {"perf", SP_CLOCK_PERF}};
  static const struct choice engines[] = {{"auto", SP_UNWIND_AUTO}, {"cfi", SP_UNWIND_CFI}, {"fp", SP_UNWIND_FP},
                                          {"libunwind", SP_UNWIND_LIBUNWIND}};
  if (strcmp(name, "STATPROF") == 0) return read_switch(value, &o->enabled);
  if (strcmp(name, "STATPROF_CHILDREN") == 0) return read_switch(value, &o->children);
  if (strcmp(name, "STATPROF_START") == 0) return read_switch(value, &o->start);
  if (strcmp(name, "STATPROF_ARGS") == 0) return read_switch(value, &o->arguments);
  if (strcmp(name, "STATPROF_LOG") == 0) return read_switch(value, &o->log);
  if (strcmp(name, "STATPROF_FREQUENCY") == 0) return read_frequency(value, &o->frequency);
  if (strcmp(name, "STATPROF_MAX_SIZE") == 0) return read_size(value, &o->max_size);
  if (strcmp(name, "STATPROF_CLOCK") == 0) return read_choice(value, clocks, 4, "auto, itimer, thread or perf", &o->clock);
  if (strcmp(name, "STATPROF_UNWIND") == 0) return read_choice(value, engines, 4, "auto, cfi, fp or libunwind", &o->unwind);
  if (strcmp(name, "STATPROF_OUT") == 0) return read_pattern(value, &o->out);
  if (strcmp(name, "STATPROF_SESSION") == 0) o->session = value;
  return NULL;
}

// Whether an entry of the environment may be one of these.
static bool is_ours(const char *entry) { return entry[0] == 'S' && strncmp(entry, "STATPROF", 8) == 0; }

void sp_options_read(struct sp_options *o, char **environment) {
  *o = (struct sp_options){
      .enabled = true,
      .children = true,
      .start = true,
      .arguments = true,
      .frequency = DEFAULT_FREQUENCY,
      .max_size = DEFAULT_MAX_SIZE,
  };
  // The run's first process says it for all.
  bool first = true;
  for (char **e = environment; e != NULL && *e != NULL; e++) first &= !is_ours(*e) || strncmp(*e, "STATPROF_SESSION=", 17) != 0;
  for (char **e = environment; e != NULL && *e != NULL; e++) {
    if (!is_ours(*e)) continue;
    const char *equals = strchr(*e, '=');
    char name[32];
    if (equals == NULL || (size_t)(equals - *e) >= sizeof name) continue;
    memcpy(name, *e, (size_t)(equals - *e));
    name[equals - *e] = 0;
    const char *expected = read_variable(name, equals + 1, o);
    if (expected != NULL && first) say_bad(name, equals + 1, expected);
  }
}
