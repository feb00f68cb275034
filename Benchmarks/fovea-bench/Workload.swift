import FoveaNN
import FoveaSystem

/// A network with images made of noise, and the step that is timed: a batch of inference, or a batch of training with
/// Adam, as in epoch 20, when the seed's resnet drops blocks.
final class Workload {
    let network: Network
    let batch: Int
    private let optimizer: Adam?
    private let images: [Float]
    private let targets: [Target]
    private var scores: [Float]
    private var steps = 0

    private static let forPhotographs = EfficientNetLite.allCases.map(\.rawValue) + ["resnet18"]

    /// - Parameters:
    ///   - architecture: with its own defaults; 1,000 classes for those for photographs, else 100.
    ///   - side: of the images; nil is 224 for photographs, else 32.
    init(_ architecture: String, training: Bool, batch: Int, threads: Int, side: Int? = nil) throws {
        let isForPhotographs = Self.forPhotographs.contains(architecture)
        let side = side ?? EfficientNetLite(rawValue: architecture)?.side ?? (isForPhotographs ? 224 : 32)
        self.batch = batch
        let definition = NetworkDefinition(
            architecture: architecture, input: Shape(height: side, width: side, channels: 3),
            classes: isForPhotographs ? 1000 : 100)
        network = try Network(definition, maxBatch: batch, mode: training ? .training : .inference, threads: threads)
        network.initialize(seed: 1)
        // A stem that is fitted to images would be zeros.
        var noise = SeededGenerator(8)
        for tensor in network.tensors where tensor.kind == .buffer && tensor.shape.count == 4 {
            try network.write(tensor.name, (0..<tensor.count).map { _ in noise.uniform() - 0.5 })
        }
        optimizer = training ? Adam(network, learningRate: 1e-4, clip: 100) : nil
        var random = SeededGenerator(7)
        images = (0..<batch * network.input.count).map { _ in random.uniform() * 2 - 1 }
        let classes = network.classes
        targets = (0..<batch).map { Target(Int32($0 % classes)) }
        scores = [Float](repeating: 0, count: batch * classes)
    }

    func step() {
        guard let optimizer else { return network.predict(images, count: batch, probabilities: &scores) }
        _ = network.forwardBackward(
            images, targets: targets, count: batch, loss: Loss(smoothing: 0.1), step: steps, epoch: 20, seed: 1)
        optimizer.apply(factor: 1)
        steps += 1
    }
}
