/// Images a second, over the last ten seconds and the last minute.
package struct RateMeter {
    private var seconds = [Int](repeating: 0, count: 60)
    private var current = 0
    private var age = 1

    package init() {}

    package mutating func count(_ images: Int) { seconds[current] += images }

    /// To be called every second.
    package mutating func tick() {
        current = (current + 1) % 60
        seconds[current] = 0
        age = min(60, age + 1)
    }

    /// Over the last `window` whole seconds, or as many as there have been.
    package func rate(_ window: Int) -> Double {
        let complete = min(window, age - 1)
        guard complete > 0 else { return 0 }
        let sum = (1...complete).reduce(0) { $0 + seconds[(current - $1 + 60) % 60] }
        return Double(sum) / Double(complete)
    }
}
