import Glibc
import Synchronization

/// Runs work on several threads. Their stacks are large, for demanglers recurse; only what is used of a stack takes memory.
enum Workers {
  private static let stackSize = 256 << 20

  private final class Shared: Sendable {
    let next = Mutex<Int>(0)
    let count: Int
    let work: @Sendable (Int) -> Void
    init(count: Int, work: @escaping @Sendable (Int) -> Void) {
      self.count = count
      self.work = work
    }

    func run() {
      while true {
        let item = next.withLock { next in
          defer { next += 1 }
          return next
        }
        guard item < count else { return }
        work(item)
      }
    }
  }

  /// Calls `work` once with each of 0..<count, in about that order, on as many threads as there are processors. Returns when all is done.
  static func forEach(count: Int, _ work: @escaping @Sendable (Int) -> Void) {
    guard count > 0 else { return }
    let shared = Shared(count: count, work: work)
    var threads: [pthread_t] = []
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setstacksize(&attributes, stackSize)
    for _ in 0..<min(count, max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))) {
      var thread = pthread_t()
      let argument = Unmanaged.passRetained(shared)
      let result = pthread_create(
        &thread, &attributes,
        { argument in
          if let argument { Unmanaged<Shared>.fromOpaque(argument).takeRetainedValue().run() }
          return nil
        }, argument.toOpaque())
      guard result == 0 else {
        argument.release()
        break
      }
      threads.append(thread)
    }
    if threads.isEmpty { shared.run() }
    for thread in threads { pthread_join(thread, nil) }
  }
}
