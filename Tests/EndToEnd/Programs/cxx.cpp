// cxx SECONDS: virtual calls, a template with a lambda, and exceptions thrown through several frames.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <vector>

#include "burn.h"

volatile uint64_t sink;

namespace shapes {
struct Shape {
  virtual ~Shape() = default;
  virtual double area(uint64_t n) const = 0;
};
struct Circle : Shape {
  __attribute__((noinline)) double area(uint64_t n) const override {
    SPIN(n, 6364136223846793005u);
    return 3.0;
  }
};
struct Square : Shape {
  __attribute__((noinline)) double area(uint64_t n) const override {
    SPIN(n / 2, 2862933555777941757u);
    return 4.0;
  }
};
}  // namespace shapes

template <typename Function>
__attribute__((noinline)) double apply(const Function &function, uint64_t n) {
  return function(n) + 1;
}

__attribute__((noinline)) static void throws(int depth) {
  if (depth == 0) throw std::runtime_error("caught");
  throws(depth - 1);
  __asm__ volatile("");
}

int main(int argc, char **argv) {
  double seconds = argc > 1 ? atof(argv[1]) : 0.5;
  std::vector<std::unique_ptr<shapes::Shape>> all;
  all.push_back(std::make_unique<shapes::Circle>());
  all.push_back(std::make_unique<shapes::Square>());
  double sum = 0;
  int thrown = 0;
  for (double end = thread_cpu() + seconds; thread_cpu() < end;) {
    for (const auto &shape : all) sum += apply([&](uint64_t n) { return shape->area(n); }, 100000);
    for (int i = 0; i < 50; i++) {
      try {
        throws(10);
      } catch (const std::runtime_error &) {
        thrown++;
      }
    }
  }
  std::printf("caught %d, sum %d\n", thrown > 0, sum > 0);
  return 0;
}
