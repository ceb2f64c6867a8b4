/// Takes how much of a long piece of work is done, and how much it is in all (0: not known). Called now and then, from any thread and from
/// several at once; returns at once. What does the work knows no more of who listens.
public typealias ProgressSink = @Sendable (_ done: UInt64, _ all: UInt64) -> Void
