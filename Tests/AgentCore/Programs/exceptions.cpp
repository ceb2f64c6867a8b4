// Exceptions in flight: thrown through frames with something to destroy, caught by type, thrown again. Argument: rounds.
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

static volatile unsigned long sink;

struct Guard {
  std::string text = "a text that is long enough to be on the heap";
  ~Guard() { sink = sink + text.size(); }
};

__attribute__((noinline)) static long thrower(int depth) {
  Guard guard;
  if (depth == 0) throw std::runtime_error("away");
  std::vector<int> numbers(static_cast<size_t>(depth), 1);
  return thrower(depth - 1) + numbers.back();
}

__attribute__((noinline)) static void again(int depth) {
  auto owned = std::make_unique<Guard>();
  try {
    thrower(depth);
  } catch (const std::logic_error &) {
    abort();
  } catch (const std::runtime_error &) {
    if (depth % 5 == 0) throw;
    throw std::out_of_range(owned->text);
  }
}

// What a program does with what it caught.
__attribute__((noinline)) static unsigned long digest(const std::string &text) {
  unsigned long sum = 1469598103934665603u;
  for (int round = 0; round < 40; round++)
    for (char c : text) sum = (sum ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return sum;
}

int main(int argc, char **argv) {
  long caught = 0;
  for (long i = 0, rounds = argc > 1 ? atol(argv[1]) : 1000; i < rounds; i++) {
    try {
      again(static_cast<int>(i % 20));
    } catch (const std::exception &e) {
      sink = sink + digest(std::string(e.what()) + " and what else there is to say of it, which goes to a log");
      caught++;
    }
  }
  return caught == (argc > 1 ? atol(argv[1]) : 1000) ? 0 : 1;
}
