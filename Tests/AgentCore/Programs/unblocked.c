// Runs a command with no signal blocked: what runs the tests may have some blocked, and gdb and
// openssl wait for ever for such a one.
#include <signal.h>
#include <unistd.h>

int main(int argc, char **argv) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  if (argc > 1) execvp(argv[1], argv + 1);
  return 127;
}
