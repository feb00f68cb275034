import CKernels
import Glibc
import Testing

/// Softmax and its cross-entropy, row by row.
@Suite struct LossTests {
    private let classes = 9

    /// Probabilities, losses and gradients, also of logits so far apart that a naive exponential overflows.
    @Test(arguments: [("plain", Float(0)), ("smoothed", 0.1)])
    func agreesWithPyTorch(_ name: String, _ smoothing: Float) throws {
        let g = try golden("crossentropy")
        let (x, labels, expected) = (g.floats("x"), g.floats("labels").map { Int($0) }, g[name]!)
        var probabilities = x
        var gradient = [Float](repeating: .nan, count: x.count)
        for (row, label) in labels.enumerated() {
            let at = row * classes
            var best: Int32 = -1
            var settings = ck_loss(smoothing: smoothing, hierarchy: 0, group: nil)
            let loss = x.withUnsafeBufferPointer { x in
                gradient.withUnsafeMutableBufferPointer {
                    ck_cross_entropy(
                        x.baseAddress! + at, Int32(classes), ck_target(label: Int32(label), other: 0, share: 0),
                        &settings,
                        1, $0.baseAddress! + at, &best)
                }
            }
            let wanted = expected.floats("losses")[row]
            #expect(abs(loss - wanted) < 1e-5 * max(1, wanted), "row \(row)")
            let logits = x[at..<(at + classes)]
            #expect(x[at + Int(best)] == logits.max(), "row \(row)")
            // In place, as the network does it.
            probabilities.withUnsafeMutableBufferPointer {
                ck_softmax($0.baseAddress! + at, Int32(classes), $0.baseAddress! + at)
            }
        }
        #expect(distance(probabilities, g.floats("probabilities")) < 1e-6)
        #expect(distance(gradient, expected.floats("dx")) < 1e-6)
    }

    /// What is no number stays none: whoever looks at probabilities must see that a network is broken.
    @Test(arguments: [Float.nan, .infinity]) func brokenLogitsGiveNoProbabilities(_ broken: Float) {
        for place in [0, 5, 16] {
            var row = random(17, seed: 4)
            row[place] = broken
            row.withUnsafeMutableBufferPointer { ck_softmax($0.baseAddress!, 17, $0.baseAddress!) }
            #expect(row.allSatisfy { $0.isNaN })
        }
        var finite: [Float] = [80, -200, 0, 80]
        finite.withUnsafeMutableBufferPointer { ck_softmax($0.baseAddress!, 4, $0.baseAddress!) }
        #expect(distance(finite, [0.5, 0, 0, 0.5]) < 1e-6)
    }

    /// Plain, mixed, and with superclasses.
    @Test(arguments: [(Float(0), Float(0), Float(0)), (0.1, 0, 0), (0.5, 0, 0.3), (0, 0.4, 0), (0.1, 0.25, 0.3)])
    func gradientIsTheDerivative(_ smoothing: Float, _ share: Float, _ hierarchy: Float) {
        let group: [Int32] = [0, 1, 2, 0, 1, 2, 0, 1, 2]
        var x = random(classes, seed: 3, scale: 2)
        var (gradient, best) = ([Float](repeating: 0, count: classes), Int32(0))
        func loss(_ gradient: UnsafeMutablePointer<Float>? = nil) -> Double {
            group.withUnsafeBufferPointer {
                var settings = ck_loss(smoothing: smoothing, hierarchy: hierarchy, group: $0.baseAddress)
                let target = ck_target(label: 4, other: 5, share: share)
                return Double(ck_cross_entropy(x, Int32(classes), target, &settings, 0.25, gradient, &best))
            }
        }
        gradient.withUnsafeMutableBufferPointer { _ = loss($0.baseAddress) }
        let step: Float = 5e-3
        for i in x.indices {
            let old = x[i]
            x[i] = old + step
            let high = loss()
            x[i] = old - step
            let low = loss()
            x[i] = old
            // The gradient is scaled, the loss is not.
            #expect(abs(0.25 * Float((high - low) / Double(2 * step)) - gradient[i]) < 1e-3, "logit \(i)")
        }
        // Of a shift of all logits nobody notices anything.
        #expect(abs(gradient.reduce(0, +)) < 1e-6)
    }
}
