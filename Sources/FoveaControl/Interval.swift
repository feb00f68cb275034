/// An interval for a share, by Wilson's score (Wilson 1927): never outside 0 to 1, and honest for few images.
package struct Interval: Sendable, Equatable {
    package let low: Double
    package let high: Double

    /// The 95 % interval of `right` of `images`.
    package init(right: Int, of images: Int) {
        guard images > 0 else {
            (low, high) = (0, 1)
            return
        }
        let (z, n) = (1.959_963_985, Double(images))
        let share = Double(right) / n
        let middle = (share + z * z / (2 * n)) / (1 + z * z / n)
        let half = z / (1 + z * z / n) * (share * (1 - share) / n + z * z / (4 * n * n)).squareRoot()
        (low, high) = (max(0, middle - half), min(1, middle + half))
    }

    /// Half of the width: what stands behind ±.
    package var half: Double { (high - low) / 2 }
}
