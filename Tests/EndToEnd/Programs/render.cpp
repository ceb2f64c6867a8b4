// A small renderer: reads a scene of spheres, sorts them into a tree of boxes, traces rays in threads, packs the picture. Parts of it run
// one after the other, calls are inlined, functions call themselves, and the C library and libm do some of the work.
//
//     render [seconds of CPU, about] [threads] [any words]

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <time.h>
#include <vector>

#define KEPT __attribute__((noinline))

namespace render {

struct Vector {
  double x = 0, y = 0, z = 0;
  Vector operator+(const Vector& o) const { return {x + o.x, y + o.y, z + o.z}; }
  Vector operator-(const Vector& o) const { return {x - o.x, y - o.y, z - o.z}; }
  Vector operator*(double f) const { return {x * f, y * f, z * f}; }
};

inline double dot(const Vector& a, const Vector& b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
inline Vector unit(const Vector& v) { return v * (1 / std::sqrt(dot(v, v))); }

struct Sphere {
  Vector center;
  double radius = 1;
};

struct Box {
  Vector low, high;
  std::unique_ptr<Box> left, right;
  std::vector<Sphere> spheres;
};

struct Ray {
  Vector from, to;
};

static double now(clockid_t clock) {
  timespec time;
  clock_gettime(clock, &time);
  return double(time.tv_sec) + double(time.tv_nsec) / 1e9;
}

/// The scene as text, as it would come from a file.
KEPT std::string scene_text(int count) {
  std::ostringstream out;
  for (int i = 0; i < count; i++) out << "sphere-" << i * 7919 % count << ' ' << i % 97 * 1.5 << ' ' << i % 61 * 2.5 << ' ' << i % 31 * 3.5 << " 1.25\n";
  return out.str();
}

KEPT std::vector<Sphere> parse(const std::string& text) {
  std::map<std::string, Sphere> by_name;
  std::istringstream lines(text);
  std::string name;
  Sphere sphere;
  while (lines >> name >> sphere.center.x >> sphere.center.y >> sphere.center.z >> sphere.radius) by_name[name] = sphere;
  std::vector<Sphere> spheres;
  for (const auto& [key, value] : by_name) spheres.push_back(value);
  return spheres;
}

KEPT std::unique_ptr<Box> build(std::vector<Sphere> spheres, int axis) {
  auto box = std::make_unique<Box>();
  box->low = {1e9, 1e9, 1e9};
  box->high = {-1e9, -1e9, -1e9};
  for (const auto& s : spheres) {
    box->low = {std::min(box->low.x, s.center.x - s.radius), std::min(box->low.y, s.center.y - s.radius), std::min(box->low.z, s.center.z - s.radius)};
    box->high = {std::max(box->high.x, s.center.x + s.radius), std::max(box->high.y, s.center.y + s.radius), std::max(box->high.z, s.center.z + s.radius)};
  }
  if (spheres.size() <= 4) {
    box->spheres = std::move(spheres);
    return box;
  }
  auto place = [axis](const Sphere& s) { return axis == 0 ? s.center.x : axis == 1 ? s.center.y : s.center.z; };
  std::sort(spheres.begin(), spheres.end(), [&](const Sphere& a, const Sphere& b) { return place(a) < place(b); });
  const auto middle = spheres.begin() + long(spheres.size() / 2);
  box->left = build({spheres.begin(), middle}, (axis + 1) % 3);
  box->right = build({middle, spheres.end()}, (axis + 1) % 3);
  return box;
}

inline bool meets(const Box& box, const Ray& ray) {
  double first = 0, last = 1e9;
  const double from[] = {ray.from.x, ray.from.y, ray.from.z}, to[] = {ray.to.x, ray.to.y, ray.to.z};
  const double low[] = {box.low.x, box.low.y, box.low.z}, high[] = {box.high.x, box.high.y, box.high.z};
  for (int i = 0; i < 3; i++) {
    const double a = (low[i] - from[i]) / to[i], b = (high[i] - from[i]) / to[i];
    first = std::max(first, std::min(a, b));
    last = std::min(last, std::max(a, b));
  }
  return first <= last;
}

inline double distance(const Sphere& sphere, const Ray& ray) {
  const Vector between = sphere.center - ray.from;
  const double along = dot(between, ray.to);
  const double square = sphere.radius * sphere.radius - dot(between, between) + along * along;
  return square < 0 ? 1e9 : along - std::sqrt(square);
}

KEPT double trace(const Box& box, const Ray& ray) {
  if (!meets(box, ray)) return 1e9;
  double nearest = 1e9;
  for (const auto& sphere : box.spheres) nearest = std::min(nearest, distance(sphere, ray));
  if (box.left) nearest = std::min(nearest, trace(*box.left, ray));
  if (box.right) nearest = std::min(nearest, trace(*box.right, ray));
  return nearest;
}

KEPT double shade(double distance, const Ray& ray) {
  double light = 0;
  for (int lamp = 0; lamp < 24; lamp++) light += std::pow(std::fabs(ray.to.z) + lamp, 0.3) * std::cos(distance / (lamp + 1));
  return light;
}

KEPT void render_rows(const Box& scene, std::vector<double>& picture, double cpu, unsigned number) {
  const double start = now(CLOCK_THREAD_CPUTIME_ID);
  for (unsigned ray_number = 0; now(CLOCK_THREAD_CPUTIME_ID) - start < cpu; ray_number++) {
    const double x = double(ray_number * 31 % 400) / 400, y = double(ray_number * 17 % 300) / 300;
    const Ray ray{{70, 70, -40}, unit({x - 0.5, y - 0.5, 1})};
    picture[(ray_number + number) % picture.size()] = shade(trace(scene, ray), ray);
  }
}

KEPT unsigned long pack(const std::vector<double>& picture) {
  std::string text;
  char piece[32];
  for (double value : picture) text.append(piece, size_t(std::snprintf(piece, sizeof piece, "%.6f ", value)));
  unsigned long sum = 5381;
  for (char byte : text) sum = sum * 33 + (unsigned char)byte;
  return sum;
}

}  // namespace render

int main(int argc, char** argv) {
  const double cpu = argc > 1 ? std::atof(argv[1]) : 1;
  const unsigned threads = argc > 2 ? unsigned(std::atoi(argv[2])) : 2;
  const std::string text = render::scene_text(int(30000 * cpu));
  const auto scene = render::build(render::parse(text), 0);
  std::vector<std::vector<double>> pictures(threads, std::vector<double>(size_t(200000 * cpu)));
  std::vector<std::thread> workers;
  // Threads that have ever more to do.
  for (unsigned i = 0; i < threads; i++) {
    workers.emplace_back([&, i] {
      pthread_setname_np(pthread_self(), ("shade-" + std::to_string(i)).c_str());
      render::render_rows(*scene, pictures[i], cpu * (i + 1) / double(threads * (threads + 1)), i);
    });
  }
  for (auto& worker : workers) worker.join();
  unsigned long sum = 0;
  for (const auto& picture : pictures) sum += render::pack(picture);
  std::printf("%lu\n", sum);
  return 0;
}
