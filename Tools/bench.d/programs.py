"""Sources that several benchmarks compile."""

# A C++ unit that keeps cc1plus busy: {0} stands for a number, so that copies of it are different code to the compiler.
CPP_HEAD = """
#include <algorithm>
#include <functional>
#include <map>
#include <regex>
#include <string>
#include <unordered_map>
#include <vector>
"""
CPP_PART = """
namespace n%d {
struct Key { int a; std::string b; bool operator<(const Key &o) const { return a < o.a || (a == o.a && b < o.b); } };
int work(std::vector<Key> &v, const std::string &s) {
  std::map<Key, std::vector<int>> m;
  std::sort(v.begin(), v.end());
  std::stable_sort(v.begin(), v.end(), [](auto &x, auto &y) { return y < x; });
  for (auto &k : v) m[k].push_back(k.a + %d);
  std::function<int(int)> f = [&](int x) { return x < 2 ? x : f(x - 1) + (int)m.size(); };
  int sum = f(%d);
  for (auto &[k, x] : m) for (int y : x) sum += y + (int)k.b.find(s);
  std::nth_element(v.begin(), v.begin() + v.size() / 2, v.end());
  return sum;
}
}
"""


def cpp_unit(parts):
    """A unit whose compilation takes time about in proportion to `parts`, after a start that all have in common."""
    return CPP_HEAD + "".join(CPP_PART % (i, i, i) for i in range(parts))
