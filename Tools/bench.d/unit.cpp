#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>
struct Item { int id; std::string name; std::vector<double> values; };
using Cell = std::variant<int, double, std::string>;
static std::string text(unsigned n) {
  std::ostringstream out;
  for (unsigned i = 0; i < n; i++) out << "item-" << (i * 7919u) % 1009u << (i % 7 ? ' ' : '\n');
  return out.str();
}
extern "C" unsigned long work(unsigned n) {
  const std::string all = text(n);
  const std::regex word("item-([0-9]+)");
  std::map<std::string, int> ordered;
  std::unordered_map<std::string, std::vector<int>> hashed;
  for (auto i = std::sregex_iterator(all.begin(), all.end(), word); i != std::sregex_iterator(); ++i) {
    ordered[(*i)[1].str()]++;
    hashed[i->str()].push_back(static_cast<int>(i->position()));
  }
  std::vector<Item> items;
  for (const auto &entry : ordered) items.push_back({std::stoi(entry.first), entry.first, std::vector<double>(8, entry.second)});
  std::sort(items.begin(), items.end(), [](const Item &a, const Item &b) { return a.name.size() != b.name.size() ? a.name.size() < b.name.size() : a.id < b.id; });
  std::vector<Cell> cells;
  for (const Item &item : items) { if (item.id % 3 == 0) cells.emplace_back(item.id); else if (item.id % 3 == 1) cells.emplace_back(item.values[0]); else cells.emplace_back(item.name); }
  unsigned long sum = 0;
  for (const Cell &cell : cells) sum += std::visit([](const auto &v) -> unsigned long { if constexpr (std::is_same_v<std::decay_t<decltype(v)>, std::string>) return v.size(); else return static_cast<unsigned long>(v); }, cell);
  std::set<std::vector<int>> seen;
  for (const auto &entry : hashed) seen.insert(entry.second);
  std::function<unsigned long(unsigned long)> twist = [&](unsigned long x) { return x * 31 + seen.size(); };
  std::mt19937 random(n);
  std::shuffle(items.begin(), items.end(), random);
  return std::accumulate(items.begin(), items.end(), sum, [&](unsigned long a, const Item &item) { return twist(a) + static_cast<unsigned long>(item.id); });
}
