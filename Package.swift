// swift-tools-version: 6.0
import PackageDescription

/// C that runs inside other people's programs: strict, and with nothing visible but what is declared so.
let agentFlags: [CSetting] = [
  .unsafeFlags([
    "-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden", "-ftls-model=initial-exec", "-fno-exceptions",
    "-fasynchronous-unwind-tables", "-fno-stack-protector", "-fPIC", "-fno-plt",
  ])
]

/// elfutils and the demangler are linked in, so that the analyzer runs where they are not installed.
let elfutils: [LinkerSetting] = [
  .linkedLibrary(":libdw.a"), .linkedLibrary(":libelf.a"), .linkedLibrary(":libz.a"), .linkedLibrary(":liblzma.a"),
  .linkedLibrary(":libbz2.a"), .linkedLibrary(":libzstd.a"), .linkedLibrary(":libdeflate.a"),
]

let package = Package(
  name: "statprof",
  products: [
    .library(name: "statprof", type: .dynamic, targets: ["Preload"]),
    .executable(name: "statprof-report", targets: ["statprof-report"]),
    .executable(name: "statprof-launcher", targets: ["statprof-launcher"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
  ],
  targets: [
    .target(name: "TraceFormat", path: "Agent/Format"),
    .target(name: "AgentCore", dependencies: ["TraceFormat"], path: "Agent/Core", cSettings: agentFlags),
    .target(
      name: "Preload", dependencies: ["AgentCore"], path: "Agent/Preload", cSettings: agentFlags,
      // A product of C alone must not drag the Swift runtime into every process: Embedded mode links none.
      // Bound at load: the handler must never enter the dynamic linker. Without RELRO: each process pays for its two mprotect calls and mappings
      // (a hundredth of /bin/true's CPU).
      linkerSettings: [
        .unsafeFlags([
          "-enable-experimental-feature", "Embedded", "-Xlinker", "--version-script=\(Context.packageDirectory)/Agent/Preload/exports.map",
          "-Xlinker", "-soname=libstatprof.so", "-Xlinker", "-Bsymbolic-functions", "-Xlinker", "-z", "-Xlinker", "now", "-Xlinker", "-z",
          "-Xlinker", "defs", "-Xlinker", "-z", "-Xlinker", "norelro",
        ])
      ]),

    .systemLibrary(name: "CElfutils"),
    .systemLibrary(name: "CDemangle"),
    .systemLibrary(name: "CLinux"),
    .systemLibrary(name: "CProcessor"),
    .systemLibrary(name: "CZlib"),
    .target(name: "Profile"),
    .target(name: "TraceFile", dependencies: ["Profile", "TraceFormat", "CProcessor"]),
    .target(
      name: "Symbolication", dependencies: ["Profile", "CElfutils", "CDemangle"],
      linkerSettings: elfutils + [.linkedLibrary(":libiberty.a")]),
    .target(name: "Analysis", dependencies: ["Profile"]),
    // zlib comes with Symbolication, which stands beside it everywhere: named twice it would stand before those that need it.
    .target(
      name: "Renderers", dependencies: ["Analysis", "Profile", "CZlib"],
      // The page's parts stay what they are on disk and are compiled in, so that the analyzer is one file.
      resources: [
        .embedInCode("Viewer/viewer.html"), .embedInCode("Viewer/viewer.css"), .embedInCode("Viewer/data.js"),
        .embedInCode("Viewer/model.js"), .embedInCode("Viewer/trees.js"), .embedInCode("Viewer/text.js"), .embedInCode("Viewer/flame.js"),
        .embedInCode("Viewer/timeline.js"), .embedInCode("Viewer/tables.js"), .embedInCode("Viewer/source.js"),
        .embedInCode("Viewer/main.js"),
      ]),
    .executableTarget(
      name: "statprof-report",
      dependencies: [
        "TraceFile", "Symbolication", "Analysis", "Renderers", "Profile",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], path: "Tools/statprof-report"),
    .executableTarget(name: "statprof-launcher", dependencies: ["TraceFormat", "CLinux"], path: "Tools/statprof"),

    .testTarget(name: "ProfileTests", dependencies: ["Profile"]),
    .testTarget(name: "TraceFileTests", dependencies: ["TraceFile", "Profile"]),
    .testTarget(name: "SymbolicationTests", dependencies: ["Symbolication", "Analysis", "Profile", "CElfutils"], exclude: ["Fixtures"]),
    .target(name: "ProfileBuilder", dependencies: ["Profile"], path: "Tests/ProfileBuilder"),
    .testTarget(name: "AnalysisTests", dependencies: ["Analysis", "Profile", "ProfileBuilder"]),
    .testTarget(
      name: "RenderersTests", dependencies: ["Renderers", "Analysis", "Profile", "ProfileBuilder", "CLinux"],
      exclude: ["Golden", "Readers", "page_stacks.py"]),
    .testTarget(name: "AgentCoreTests", path: "Tests/AgentCore", exclude: ["Programs"]),
    .testTarget(name: "EndToEndTests", dependencies: ["CLinux"], path: "Tests/EndToEnd", exclude: ["Programs", "Browser"]),
  ],
  swiftLanguageModes: [.v6]
)

/// Only `Tools/fuzz readers` wants it: it must be built with -sanitize=fuzzer.
if Context.environment["STATPROF_FUZZ"] != nil {
  package.products.append(.executable(name: "fuzz-readers", targets: ["FuzzReaders"]))
  package.targets.append(
    .executableTarget(
      name: "FuzzReaders", dependencies: ["TraceFile", "Symbolication", "Analysis", "Renderers", "Profile", "TraceFormat"],
      path: "Tests/FuzzReaders"))
}
