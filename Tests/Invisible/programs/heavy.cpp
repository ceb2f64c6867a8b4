// What a compiler compiles.
#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <regex>
#include <string>
#include <unordered_map>
#include <vector>
int main() {
  std::map<std::string, std::vector<std::function<int(int)>>> all;
  std::unordered_map<int, std::string> other;
  for (int i = 0; i < 100; i++) { all[std::to_string(i % 7)].push_back([i](int n) { return n * i; }); other[i] = std::to_string(i); }
  int sum = 0;
  for (auto &[key, functions] : all) for (auto &f : functions) sum += f(std::stoi(key));
  std::cout << sum << " " << std::regex_match("ab12", std::regex("[a-z]+[0-9]+")) << "\n";
}
