/// What one image is at some place in a network: height × width × channels; features after flattening are 1 × 1 × n.
package struct Shape: Codable, Sendable, Equatable, CustomStringConvertible {
    package var height: Int
    package var width: Int
    package var channels: Int

    package init(height: Int, width: Int, channels: Int) {
        self.height = height
        self.width = width
        self.channels = channels
    }

    /// Positions of an image.
    package var pixels: Int { height * width }
    /// Floats of an image.
    package var count: Int { height * width * channels }
    package var description: String { "\(height)×\(width)×\(channels)" }
}

/// An operation was given a shape that it cannot take; found while a network is built, never while it runs.
package struct ShapeError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The layer and what it does, such as `block1.pool (2×2 maximum)`.
    package let operation: String
    package let given: String
    package let expected: String

    package init(_ operation: String, given: String, expected: String) {
        self.operation = operation
        self.given = given
        self.expected = expected
    }

    package var description: String { "\(operation) got \(given) where it needs \(expected)" }
}
