/// How many zeros a window finds around a map, before its first row and column and after its last ones.
package enum Padding: Sendable, CaseIterable {
    /// None: windows lie inside the map.
    case valid
    /// TensorFlow's SAME: ⌈side / stride⌉ windows. Where the zeros are odd in number the map has one more after it than
    /// before it: with stride 2 a 3×3 window of an even side finds zeros on the right and at the bottom only.
    case same
    /// PyTorch's `padding=kernel // 2`: as many zeros before as after.
    case symmetric

    /// Where the windows lie along one side of a map.
    ///
    /// - Returns: the zeros before the map, and how many windows there are; 0 where none fits.
    package func windows(side: Int, kernel: Int, stride: Int) -> (before: Int, count: Int) {
        func count(_ length: Int) -> Int { length < kernel ? 0 : (length - kernel) / stride + 1 }
        switch self {
        case .valid: return (0, count(side))
        case .same:
            let windows = (side + stride - 1) / stride
            return (max(0, (windows - 1) * stride + kernel - side) / 2, windows)
        case .symmetric: return (kernel / 2, count(side + 2 * (kernel / 2)))
        }
    }
}
