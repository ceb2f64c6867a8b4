import Profile
import ProfileBuilder

/// A profile as a C++ server with a Python plugin may give it: wide names, libraries, inlined frames, two threads, some of everything
/// that a report has to say.
func realisticProfile() -> Profile {
  var builder = ProfileBuilder()
  builder.declarations = [
    "lex(char const*)@src/lexer.cc": 40, "lex(char const*)@plugins/lexer.cc": 12,
  ]
  let main = builder.process(
    "/opt/render/bin/render", arguments: ["./render", "--scene", "big city.scn", "--threads", "2"]
  ) { process in
    process.host = "build-7"
    process.agentTime = 3_812
    process.lastTime = 1_910_000
    process.end = .exit
  }
  let worker = builder.thread("shade-1", tid: 4712)
  let start = "_start -> __libc_start_main!/lib/x86_64-linux-gnu/libc.so.6 -> main@src/main.cc:31"
  let parse = "\(start) -> render::Scene::load(std::filesystem::__cxx11::path const&)@src/scene.cc:88"
  let map =
    "std::unordered_map<std::basic_string<char, std::char_traits<char>, std::allocator<char> >, render::Material, "
    + "render::StringHash, std::equal_to<void>, std::allocator<std::pair<std::basic_string<char, std::char_traits<char>, "
    + "std::allocator<char> > const, render::Material> > >::find(std::basic_string<char, std::char_traits<char>, std::allocator<char> > "
    + "const&)@/usr/include/c++/12/bits/unordered_map.h:877"
  builder.sample("\(parse) -> lex(char const*)@src/lexer.cc:52", 211_300, thread: main, time: 100_000)
  builder.sample("\(parse) -> lex(char const*)@src/lexer.cc:57", 96_000, thread: main, time: 200_000)
  builder.sample("\(parse) -> lex(char const*)@plugins/lexer.cc:19!/opt/render/lib/libplugins.so.3", 40_100, thread: main, time: 300_000)
  builder.sample("\(parse)|\(map) -> memcmp!/lib/x86_64-linux-gnu/libc.so.6", 64_000, thread: main, time: 400_000)
  builder.sample("\(parse)|\(map)", 52_000, thread: main, time: 450_000)
  let python = "\(start) -> PyRun_SimpleStringFlags!/usr/lib/libpython3.11.so.1.0 -> <module>@/opt/render/py/größe_計算.py:3"
  builder.sample("\(python) -> berechne_größe@/opt/render/py/größe_計算.py:14", 76_000, thread: main, time: 500_000)
  let shade =
    "clone3!/lib/x86_64-linux-gnu/libc.so.6 -> start_thread!/lib/x86_64-linux-gnu/libc.so.6 -> render::(anonymous namespace)::worker(void*)@src/pool.cc:70"
  let trace = "render::trace(render::Ray const&, int)@src/trace.cc:101"
  for depth in 1...6 {
    let path = Array(repeating: trace, count: depth).joined(separator: " -> ")
    builder.sample(
      "\(shade) -> \(path)|render::Vec3::operator<(render::Vec3 const&) const@src/vec.h:33", 61_000, thread: worker, time: 600_000)
    builder.sample("\(shade) -> \(path) -> sqrtf!/lib/x86_64-linux-gnu/libm.so.6", 30_500, thread: worker, time: 1_500_000)
  }
  builder.sample("[libnvidia.so+0x1f30]!/usr/lib/libnvidia.so", 8_200, thread: worker, time: 700_000, outcome: .noCFI)
  builder.sample("", 4_000, thread: worker, time: 750_000, outcome: .stackTable)
  builder.unsampled(9_300, in: worker)
  builder.profile.processes[0].lastTime = 1_910_000
  builder.profile.losses.append(Loss(process: ProcessIndex(0), thread: nil, reason: .busy, count: 2, cpu: 0))
  return builder.profile
}
