#!/bin/sh
# Makes a C++ program with much debug information: large-program.sh FOLDER [UNITS] [COMPILER FLAGS...].
# Each unit instantiates the standard library's heavier templates with types of its own; 24 units give about 90 MB with g++ -g -O2.
set -eu
folder=$1
units=${2:-24}
[ $# -lt 2 ] && shift || shift 2
[ $# -gt 0 ] || set -- -g -O2
mkdir -p "$folder"
cd "$folder"

unit() {
  cat <<UNIT
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>
namespace unit$1 {
struct Key { int a; std::string b; bool operator<(const Key &o) const { return a != o.a ? a < o.a : b < o.b; } };
template <int N> struct Item { Key key; double weights[N + 1]; std::vector<std::string> words; };
template <int N> double work(const std::string &text, unsigned seed) {
  std::map<Key, Item<N>> table;
  std::unordered_map<std::string, std::shared_ptr<Item<N>>> index;
  std::set<std::pair<int, std::string>> order;
  std::regex pattern("([a-z]+)-([0-9]+)|(x+)(y*)z");
  for (std::sregex_iterator match(text.begin(), text.end(), pattern), end; match != end; ++match) {
    Key key{int(seed = seed * 1103515245u + 12345u) % 1000, match->str()};
    Item<N> &item = table[key];
    item.key = key;
    item.words.push_back(match->str(1));
    std::iota(std::begin(item.weights), std::end(item.weights), double(N));
    index[key.b] = std::make_shared<Item<N>>(item);
    order.emplace(key.a, key.b);
  }
  std::vector<const Item<N> *> items;
  for (auto &[key, item] : table) items.push_back(&item);
  std::sort(items.begin(), items.end(), [](auto *x, auto *y) { return x->key.b < y->key.b; });
  std::stable_sort(items.begin(), items.end(), [](auto *x, auto *y) { return x->weights[0] > y->weights[0]; });
  std::function<double(double, const Item<N> *)> add = [&](double sum, const Item<N> *item) { return sum + item->weights[N]; };
  std::ostringstream out;
  for (auto *item : items) out << item->key.a << ' ' << item->key.b << '\n';
  return std::accumulate(items.begin(), items.end(), double(order.size() + out.str().size()), add);
}
double run(const std::string &text) {
  return work<1>(text, $1) + work<2>(text, $1) + work<3>(text, $1) + work<5>(text, $1) + work<8>(text, $1);
}
}
UNIT
}

objects=
declarations=
calls=
i=0
while [ $i -lt "$units" ]; do
  unit $i >unit$i.cc
  declarations="$declarations namespace unit$i { double run(const std::string &); }"
  calls="$calls total += unit$i::run(text);"
  objects="$objects unit$i.o"
  i=$((i + 1))
done
cat >main.cc <<MAIN
#include <cstdio>
#include <string>
$declarations
int main() {
  std::string text;
  for (int i = 0; i < 200; i++) text += "abc-" + std::to_string(i * 7) + " xxyyz ";
  double total = 0;
  $calls
  std::printf("%f\n", total);
}
MAIN
printf '%s\n' main $(echo $objects | sed 's/\.o//g') | xargs -P "$(nproc)" -I{} "${CXX:-g++}" -std=c++17 "$@" -c {}.cc -o {}.o
"${CXX:-g++}" "$@" main.o $objects -o large-program
rm -f main.o $objects
