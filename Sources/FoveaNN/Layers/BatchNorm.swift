import CKernels
import Glibc

/// Batch normalisation over all positions of a channel (Ioffe & Szegedy 2015), for N×H×W×C and N×C alike.
///
/// Training uses the batch's mean and (biased) variance and keeps running ones, unbiased variance as PyTorch does;
/// inference uses the running ones. The running averages' momentum rises to its value, min(momentum, (1+t)/(10+t)) at
/// step t, so that a short training does not evaluate with the statistics of its start.
///
/// An activation that follows is part of it: neither pass needs memory for what lies between, and backward computes that
/// again.
///
/// `affine: false` leaves out scale and shift: before the first convolution nobody would otherwise need that
/// convolution's backward-data.
final class BatchNorm: Layer {
    let name: String
    let input: Shape
    var output: Shape { input }
    let tensors: [TensorSpecification]
    let affine: Bool
    private let momentum: Double
    let epsilon: Double
    private let channels: Int
    private var memory: LayerMemory?
    private var folded = false
    /// What follows, if anything.
    var activation: Activation?

    init(_ name: String, input: Shape, momentum: Double = 0.997, epsilon: Double = 1e-5, affine: Bool = true) {
        self.name = name
        self.input = input
        self.momentum = momentum
        self.epsilon = epsilon
        self.affine = affine
        channels = input.channels
        func tensor(_ part: String, _ kind: TensorInfo.Kind, _ value: Float) -> TensorSpecification {
            TensorSpecification(name: "\(name).\(part)", shape: [input.channels], kind: kind, start: .constant(value))
        }
        tensors =
            [tensor("mean", .buffer, 0), tensor("variance", .buffer, 1)]
            + (affine ? [tensor("scale", .parameter, 1), tensor("shift", .parameter, 0)] : [])
    }

    /// own: scale, shift, batch mean, batch 1/σ, and backward's three coefficients, by channel.
    func needs(maxBatch: Int, mode: Mode) -> LayerNeeds { LayerNeeds(own: 7 * channels, scratch: 4 * channels + 16) }
    func bind(_ memory: LayerMemory) { self.memory = memory }
    func parametersChanged() { folded = false }

    private func own(_ part: Int) -> Floats { memory!.own + part * channels }

    /// Sums of two quantities per channel over all rows: per thread, then over threads in order; valid until the next
    /// layer runs.
    private func reduce(
        count: Int, _ pass: Pass,
        _ body: (Range<Int>, UnsafeMutablePointer<Double>, UnsafeMutablePointer<Double>) -> Void
    ) -> (first: UnsafePointer<Double>, second: UnsafePointer<Double>) {
        let channels = channels
        func sums(_ thread: Int) -> UnsafeMutablePointer<Double> {
            UnsafeMutableRawPointer(pass.scratch[thread]).assumingMemoryBound(to: Double.self)
        }
        pass.pool.split(count) { thread, images in
            memset(sums(thread), 0, 2 * channels * 8)
            body(images, sums(thread), sums(thread) + channels)
        }
        for thread in 1..<max(1, pass.pool.threads) {
            for c in 0..<2 * channels { sums(0)[c] += sums(thread)[c] }
        }
        return (UnsafePointer(sums(0)), UnsafePointer(sums(0) + channels))
    }

    /// Inference's scale and shift from the running statistics.
    func fold() -> (scale: Floats, shift: Floats) {
        let (scale, shift, tensors) = (own(0), own(1), memory!.tensors)
        guard !folded else { return (scale, shift) }
        for c in 0..<channels {
            let inverse = Float(1 / (Double(tensors[1][c]) + epsilon).squareRoot())
            scale[c] = inverse * (affine ? tensors[2][c] : 1)
            shift[c] = (affine ? tensors[3][c] : 0) - tensors[0][c] * scale[c]
        }
        folded = true
        return (scale, shift)
    }

    func forward(_ x: Floats, _ y: Floats, count: Int, _ pass: Pass) {
        forward(x, adding: nil, y, count: count, pass)
    }

    /// y = activation(norm(x)) + more.
    func forward(_ x: Floats, adding more: Floats?, _ y: Floats, count: Int, _ pass: Pass) {
        let tensors = memory!.tensors
        let (scale, shift, mean, inverse) = (own(0), own(1), own(2), own(3))
        let (pixels, size, c) = (input.pixels, input.count, Int32(channels))
        if pass.training && pass.freezesStatistics {
            _ = fold()
            for c in 0..<channels {
                mean[c] = tensors[0][c]
                inverse[c] = Float(1 / (Double(tensors[1][c]) + epsilon).squareRoot())
            }
        } else if pass.training {
            let rows = Double(count * pixels)
            let sums = reduce(count: count, pass) { images, sum, squares in
                ck_moments(x + images.lowerBound * size, images.count * pixels, c, sum, squares)
            }
            let step = Double(pass.step)
            let keep = Float(min(momentum, (1 + step) / (10 + step)))
            for c in 0..<channels {
                let average = sums.first[c] / rows
                let variance = max(0, sums.second[c] / rows - average * average)
                mean[c] = Float(average)
                inverse[c] = Float(1 / (variance + epsilon).squareRoot())
                let unbiased = Float(rows > 1 ? variance * rows / (rows - 1) : variance)
                tensors[0][c] = keep * tensors[0][c] + (1 - keep) * Float(average)
                tensors[1][c] = keep * tensors[1][c] + (1 - keep) * unbiased
                scale[c] = inverse[c] * (affine ? tensors[2][c] : 1)
                shift[c] = (affine ? tensors[3][c] : 0) - mean[c] * scale[c]
            }
            folded = false
        } else {
            _ = fold()
        }
        let kernel = activation?.kernel ?? Activation.identity
        pass.pool.split(count) { _, images in
            let first = images.lowerBound * size
            withUnsafePointer(to: kernel) {
                ck_affine(
                    x + first, more.map { $0 + first }, y + first, images.count * pixels, c, scale, shift, $0,
                    pass.streams(count * size))
            }
        }
    }

    /// With x̂ = (x−μ)/σ over m rows: dx = γ/σ · (dy − mean(dy) − x̂·mean(dy·x̂)); with frozen statistics γ/σ · dy.
    func backward(_ x: Floats, _ dy: Floats, _ dx: Floats?, count: Int, _ pass: Pass) {
        let (mean, inverse, a, b, d) = (own(2), own(3), own(4), own(5), own(6))
        let norm = ck_norm(
            scale: own(0), shift: own(1), mean: mean, activation: activation?.kernel ?? Activation.identity)
        let (pixels, size, c) = (input.pixels, input.count, Int32(channels))
        let rows = Double(count * pixels)
        let sums = reduce(count: count, pass) { images, sum, product in
            let first = images.lowerBound * size
            withUnsafePointer(to: norm) {
                ck_norm_sums(x + first, dy + first, images.count * pixels, c, $0, sum, product)
            }
        }
        for c in 0..<channels {
            let (sum, product) = (sums.first[c], sums.second[c])
            let inverse = Double(inverse[c])
            var gamma = 1.0
            if affine {
                gamma = Double(memory!.tensors[2][c])
                memory!.gradients[2]?[c] = Float(product * inverse)
                memory!.gradients[3]?[c] = Float(sum)
            }
            if pass.freezesStatistics {
                (a[c], b[c], d[c]) = (Float(gamma * inverse), 0, 0)
                continue
            }
            let slope = -gamma * inverse * inverse * inverse * product / rows
            a[c] = Float(gamma * inverse)
            b[c] = Float(slope)
            d[c] = Float(-gamma * inverse * sum / rows - slope * Double(mean[c]))
        }
        guard let dx else { return }
        pass.pool.split(count) { _, images in
            let first = images.lowerBound * size
            withUnsafePointer(to: norm) {
                ck_norm_apply(
                    x + first, dy + first, dx + first, images.count * pixels, c, $0, a, b, d,
                    dx == dy ? 0 : pass.streams(count * size))
            }
        }
    }

    // MARK: - Descriptions

    var operation: String { "BatchNorm" }

    func draw(in graph: inout GraphBuilder) {
        graph.add(name, operation, output, tensors)
        if let activation { graph.add("\(name)_\(activation.rawValue)", activation.operation, output) }
    }

    func describe(_ x: ONNXValue, in export: inout ONNXExport) -> ONNXValue {
        let (mean, variance) = (tensors[0], tensors[1])
        let (scale, shift): (String, String)
        if affine {
            (scale, shift) = (export.constant(tensors[2]), export.constant(tensors[3]))
        } else {
            let channels = input.channels
            scale = export.graph.constant(
                "\(name).scale", floats: [Float](repeating: 1, count: channels), shape: [channels])
            shift = export.graph.constant(
                "\(name).shift", floats: [Float](repeating: 0, count: channels), shape: [channels])
        }
        let y = export.add(
            name, "BatchNormalization", x, [scale, shift, export.constant(mean), export.constant(variance)],
            ["epsilon": .float(Float(epsilon))])
        return activation?.describe(y, "\(name).\(activation!.rawValue)", in: &export) ?? y
    }
}

extension LayerStack {
    /// In inference a convolution does it on the way.
    mutating func batchNorm(
        _ name: String, momentum: Double, epsilon: Double, affine: Bool = true
    ) throws(ShapeError) {
        guard (0...1).contains(momentum), epsilon > 0, epsilon.isFinite else {
            throw ShapeError(
                "\(name) (batch norm)", given: "momentum \(momentum), epsilon \(epsilon)",
                expected: "a momentum from 0 to 1, an epsilon above 0")
        }
        let norm = BatchNorm(name, input: shape, momentum: momentum, epsilon: epsilon, affine: affine)
        if (layers.last as? any FusingLayer)?.fuse(norm) != true { append(norm) }
    }
}

extension LayerProbe.Kind {
    package static func batchNorm(
        affine: Bool = true, momentum: Double = 0.997, activation: Activation? = nil
    ) -> Self {
        Self { stack throws(ShapeError) in
            try stack.batchNorm(probe, momentum: momentum, epsilon: 1e-5, affine: affine)
            if let activation { stack.activation(probe, activation) }
        }
    }
}
