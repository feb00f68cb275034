import FoveaControl
import Testing

@Suite struct IntervalTests {
    @Test(arguments: [(0, 10), (10, 10), (81, 100), (3, 5)]) func holdsTheShare(_ part: (right: Int, images: Int)) {
        let interval = Interval(right: part.right, of: part.images)
        let share = Double(part.right) / Double(part.images)
        #expect(interval.low <= share && share <= interval.high && interval.low >= 0 && interval.high <= 1)
        #expect(interval.half > 0)
    }

    /// Wilson's own: 81 of 100 is 72.2 % to 87.5 %.
    @Test func isWilsons() {
        let interval = Interval(right: 81, of: 100)
        #expect(abs(interval.low - 0.7222) < 1e-3 && abs(interval.high - 0.8749) < 1e-3)
    }

    @Test func ofNothingNothingIsKnown() {
        let interval = Interval(right: 0, of: 0)
        #expect(interval.low == 0 && interval.high == 1)
    }
}
