// Namespaces, classes, templates, lambdas, static functions, thunks and inlining, for comparing names and lines.
#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

namespace shapes {
struct Named {
  virtual ~Named() = default;
  virtual std::string name() const = 0;
};
struct Shape {
  virtual ~Shape() = default;
  virtual double area() const = 0;
};
template <typename T> struct Circle : Shape, Named {
  T radius;
  explicit Circle(T r) : radius(r) {
    if (r < 0) throw std::invalid_argument("radius");
  }
  double area() const override { return 3.14159 * radius * radius; }
  std::string name() const override { return "circle " + std::to_string(radius); }
};
template <typename T> struct Square : Shape, Named {
  T side;
  explicit Square(T s) : side(s) {}
  double area() const override { return side * side; }
  std::string name() const override { return "square " + std::to_string(side); }
};
namespace {
inline unsigned mix(unsigned x) {
  x ^= x >> 15;
  x *= 0x2c1b3c6d;
  return x ^ x >> 12;
}
static inline double scale(double x, unsigned k) { return x * (mix(k) % 7 + 1); }
__attribute__((noinline)) double total(const std::vector<std::unique_ptr<Shape>> &all) {
  return std::accumulate(all.begin(), all.end(), 0.0, [](double sum, const auto &shape) { return sum + scale(shape->area(), unsigned(sum)); });
}
} // namespace
class Registry {
  std::map<std::string, int> counts;

public:
  void add(const Named &item) { counts[item.name()] += 1; }
  int most() const {
    int best = 0;
    for (const auto &[name, count] : counts) best = std::max(best, count);
    return best;
  }
};
} // namespace shapes

static int fibonacci(int n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

template <typename F> __attribute__((noinline)) long repeat(int n, F body) {
  long sum = 0;
  for (int i = 0; i < n; i++) sum += body(i);
  return sum;
}

int main(int argc, char **) {
  std::vector<std::unique_ptr<shapes::Shape>> all;
  shapes::Registry registry;
  for (int i = 0; i < 100 * argc; i++) {
    auto circle = std::make_unique<shapes::Circle<double>>(i % 13);
    auto square = std::make_unique<shapes::Square<float>>(i % 7);
    registry.add(*circle);
    registry.add(*square);
    all.push_back(std::move(circle));
    all.push_back(std::move(square));
  }
  std::sort(all.begin(), all.end(), [](const auto &a, const auto &b) { return a->area() < b->area(); });
  std::function<long(int)> step = [&](int i) { return fibonacci(i % 10) + registry.most(); };
  try {
    shapes::Circle<int> bad(-argc);
  } catch (const std::exception &problem) {
    std::puts(problem.what());
  }
  std::printf("%f %ld\n", shapes::total(all), repeat(50, step) + repeat(9, [](int i) { return long(i) * i; }));
}
