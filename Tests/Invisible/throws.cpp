// throws: C++ exceptions in many threads, through frames with destructors, and thread_local objects that are destroyed at a thread's end.
#include <atomic>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "work.h"

static std::atomic<int> destroyed, caught, ended;

struct Local {
  std::string text = "a text that is longer than what is kept inside";
  ~Local() { destroyed++, work(0.0002); }
};
static thread_local Local local;

struct Guard {
  ~Guard() { destroyed++; }
};

__attribute__((noinline)) static void deeper(int n) {
  Guard guard;
  if (n == 0) throw std::runtime_error("at the end");
  deeper(n - 1);
  work_sink = work_sink + 1;
}

static void run(int number) {
  for (int i = 0; i < 300; i++) {
    try {
      deeper(20);
    } catch (const std::runtime_error &error) {
      caught += std::string(error.what()) == "at the end";
    }
    if (i % 10 == number % 10) work(0.0002);
  }
  ended += local.text.size() == 46;
}

int main() {
  for (int round = 0; round < 5; round++) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; i++) threads.emplace_back(run, i);
    for (auto &thread : threads) thread.join();
  }
  std::printf("caught %d, destroyed %d, ended %d\n", caught.load(), destroyed.load(), ended.load());
}
