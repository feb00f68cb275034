/// A network's answer to several views of an image, averaged: the image, mirrored, moved.
///
/// Views of an image ride in the same batches as all others, so an image's scores depend on them alone.
package final class AveragedNetwork {
    /// A changed copy of an image and its part of the answer.
    package struct View: Sendable {
        package var mirrored = false
        /// Pixels to the right and down; what comes in repeats the border.
        package var move = 0
        package var weight: Float = 1

        package init(mirrored: Bool = false, move: Int = 0, weight: Float = 1) {
            (self.mirrored, self.move, self.weight) = (mirrored, move, weight)
        }
    }

    private let network: Network
    private let views: [View]
    /// Images whose views are in memory at once.
    private let block: Int
    private var images: [Float]
    private var answers: [Float]

    /// - Parameters:
    ///   - views: with weights that add up to 1.
    ///   - block: images whose views are computed at once.
    package init(_ network: Network, views: [View], block: Int = 8) {
        precondition(!views.isEmpty && block > 0)
        (self.network, self.views, self.block) = (network, views, block)
        images = [Float](repeating: 0, count: block * views.count * network.input.count)
        answers = [Float](repeating: 0, count: block * views.count * network.classes)
    }

    /// As `Network.predict`.
    package func predict(
        _ source: UnsafePointer<Float>, count: Int, probabilities: UnsafeMutablePointer<Float>
    ) {
        let classes = network.classes
        eachView(source, count: count) { n, answers in
            let to = probabilities + n * classes
            to.update(repeating: 0, count: classes)
            for (v, view) in views.enumerated() {
                for i in 0..<classes { to[i] += view.weight * answers[v * classes + i] }
            }
        }
    }

    /// Calls `body` with each image's number and its views' probabilities, one view after the other.
    func eachView(_ source: UnsafePointer<Float>, count: Int, _ body: (Int, UnsafeBufferPointer<Float>) -> Void) {
        let (size, row) = (network.input.count, views.count * network.classes)
        for first in stride(from: 0, to: count, by: block) {
            let present = min(block, count - first)
            for n in 0..<present {
                for (v, view) in views.enumerated() {
                    copy(source + (first + n) * size, view, to: (n * views.count + v) * size)
                }
            }
            network.predict(images, count: present * views.count, probabilities: &answers)
            answers.withUnsafeBufferPointer { answers in
                for n in 0..<present {
                    body(first + n, UnsafeBufferPointer(rebasing: answers[n * row..<(n + 1) * row]))
                }
            }
        }
    }

    private func copy(_ source: UnsafePointer<Float>, _ view: View, to start: Int) {
        let (height, width, channels) = (network.input.height, network.input.width, network.input.channels)
        for y in 0..<height {
            let row = min(max(y - view.move, 0), height - 1)
            for x in 0..<width {
                let column = min(max(x - view.move, 0), width - 1)
                let from = (row * width + (view.mirrored ? width - 1 - column : column)) * channels
                let to = start + (y * width + x) * channels
                for c in 0..<channels { images[to + c] = source[from + c] }
            }
        }
    }
}
