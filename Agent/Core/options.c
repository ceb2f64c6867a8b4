#include "options.h"

#include <stddef.h>
#include <string.h>

#include "message.h"
#include "statprof_trace.h"

#define DEFAULT_FREQUENCY 1000
#define MAX_FREQUENCY 10000
#define DEFAULT_MAX_SIZE (1ull << 30)

// Tells on stderr that `value` of the variable `name` is not usable; `expected` says what is.
static void bad_value(const char *name, const char *value, const char *expected) {
  const char *parts[] = {name, "=", value, " is not ", expected, "; using the default"};
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

// A variable that is 0 or 1.
static void read_switch(const char *name, const char *value, bool *result) {
  if (strcmp(value, "0") == 0 || strcmp(value, "1") == 0)
    *result = value[0] == '1';
  else
    bad_value(name, value, "0 or 1");
}

// A rate, 1 to MAX_FREQUENCY.
static void read_frequency(const char *name, const char *value, uint32_t *result) {
  const char *p = value;
  uint64_t n;
  if (parse_number(&p, &n) && *p == 0 && n >= 1 && n <= MAX_FREQUENCY)
    *result = (uint32_t)n;
  else
    bad_value(name, value, "a number from 1 to 10000");
}

// A number of bytes, with k, M or G.
static void read_size(const char *name, const char *value, uint64_t *result) {
  const char *p = value;
  uint64_t n;
  if (parse_number(&p, &n) && n > 0) {
    unsigned shift = 0;
    if (*p == 'k' || *p == 'K') shift = 10;
    if (*p == 'm' || *p == 'M') shift = 20;
    if (*p == 'g' || *p == 'G') shift = 30;
    if (shift != 0) p++;
    if (*p == 0 && n < (1ull << (63 - shift))) {
      *result = n << shift;
      return;
    }
  }
  bad_value(name, value, "a size such as 64M or 1G");
}

struct choice {
  const char *name;
  uint8_t value;
};

// One of several names.
static void read_choice(const char *name, const char *value, const struct choice *choices, size_t count, const char *expected,
                        uint8_t *result) {
  for (size_t i = 0; i < count; i++) {
    if (strcmp(value, choices[i].name) == 0) {
      *result = choices[i].value;
      return;
    }
  }
  bad_value(name, value, expected);
}

void sp_options_read(struct sp_options *o, char **environment) {
  static const struct choice clocks[] = {{"auto", SP_CLOCK_AUTO}, {"itimer", SP_CLOCK_ITIMER}, {"thread", SP_CLOCK_THREAD},
                                         {"perf", SP_CLOCK_PERF}};
  static const struct choice engines[] = {{"auto", SP_UNWIND_AUTO}, {"cfi", SP_UNWIND_CFI}, {"fp", SP_UNWIND_FP},
                                          {"libunwind", SP_UNWIND_LIBUNWIND}};

  *o = (struct sp_options){
      .enabled = true,
      .children = true,
      .start = true,
      .arguments = true,
      .frequency = DEFAULT_FREQUENCY,
      .max_size = DEFAULT_MAX_SIZE,
  };
  for (char **e = environment; e != NULL && *e != NULL; e++) {
    if (strncmp(*e, "STATPROF", 8) != 0) continue;
    const char *equals = strchr(*e, '=');
    char name[32];
    if (equals == NULL || (size_t)(equals - *e) >= sizeof name) continue;
    memcpy(name, *e, (size_t)(equals - *e));
    name[equals - *e] = 0;
    const char *value = equals + 1;

    if (strcmp(name, "STATPROF") == 0) read_switch(name, value, &o->enabled);
    else if (strcmp(name, "STATPROF_CHILDREN") == 0) read_switch(name, value, &o->children);
    else if (strcmp(name, "STATPROF_START") == 0) read_switch(name, value, &o->start);
    else if (strcmp(name, "STATPROF_ARGS") == 0) read_switch(name, value, &o->arguments);
    else if (strcmp(name, "STATPROF_LOG") == 0) read_switch(name, value, &o->log);
    else if (strcmp(name, "STATPROF_FREQUENCY") == 0) read_frequency(name, value, &o->frequency);
    else if (strcmp(name, "STATPROF_MAX_SIZE") == 0) read_size(name, value, &o->max_size);
    else if (strcmp(name, "STATPROF_CLOCK") == 0)
      read_choice(name, value, clocks, 4, "auto, itimer, thread or perf", &o->clock);
    else if (strcmp(name, "STATPROF_UNWIND") == 0)
      read_choice(name, value, engines, 4, "auto, cfi, fp or libunwind", &o->unwind);
    else if (strcmp(name, "STATPROF_SESSION") == 0) o->session = value;
    else if (strcmp(name, "STATPROF_OUT") == 0) {
      if (value[0] == 0 || strlen(value) >= SP_PATTERN_MAX)
        bad_value(name, value[0] == 0 ? "" : "(a long text)", "the name of a file");
      else
        o->out = value;
    }
  }
}
