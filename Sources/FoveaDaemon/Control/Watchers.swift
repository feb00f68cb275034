import FoveaControl
import Synchronization

/// Everybody who listens to results as they come (`foveactl watch`). Safe from any thread.
package final class Watchers: Sendable {
    private struct State {
        var streams: [Int: HTTPStream] = [:]
        var next = 0
        var isFinished = false
    }

    private let state = Mutex(State())

    package init() {}

    /// A new listener; its stream takes itself out when nobody reads any more.
    func add() -> HTTPStream {
        state.withLock { state in
            let number = state.next
            state.next += 1
            let stream = HTTPStream(onEnd: { [weak self] in
                self?.state.withLock { $0.streams[number] = nil }
            })
            if state.isFinished { stream.finish() } else { state.streams[number] = stream }
            return stream
        }
    }

    /// One JSON object, without its line end, to all.
    func send(_ line: [UInt8]) {
        let streams = state.withLock { Array($0.streams.values) }
        if streams.isEmpty { return }
        for stream in streams { stream.send(line + [0x0A]) }
    }

    /// No more will come.
    func finish() {
        let streams = state.withLock { state in
            state.isFinished = true
            return Array(state.streams.values)
        }
        for stream in streams { stream.finish() }
    }
}
