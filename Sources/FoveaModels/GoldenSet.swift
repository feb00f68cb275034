import FoveaSystem

/// Inputs with the scores that the model gave for them when it was made. A generation runs them before it serves:
/// what does not reproduce them is not the model, or not the chain, that was trained.
package struct GoldenSet: Sendable, Equatable {
    /// The most images.
    package static let most = 8

    package let count: Int
    package let height: Int
    package let width: Int
    package let classes: Int
    /// RGB8, count × height × width × 3, before the filters.
    package let inputs: [UInt8]
    /// Probabilities, count × classes.
    package let scores: [Float]
    /// The largest absolute difference of a probability that another instruction set may show.
    package let tolerance: Float

    /// - Throws: `.damaged` for shapes that do not fit or rows that are not probabilities.
    package init(
        count: Int, height: Int, width: Int, classes: Int, inputs: [UInt8], scores: [Float], tolerance: Float = 0.001,
        subject: String = "golden.safetensors"
    ) throws(ModelError) {
        func refusal(_ problem: String) -> ModelError { ModelError(.damaged, subject, problem) }
        guard (1...Self.most).contains(count) else {
            throw refusal("\(count) golden images, from 1 to \(Self.most) are allowed")
        }
        guard inputs.count == count * height * width * 3, scores.count == count * classes else {
            throw refusal("golden inputs and scores do not fit together")
        }
        guard tolerance > 0, tolerance <= 0.01 else {
            throw refusal("tolerance \(tolerance) is not above 0 and at most 0.01")
        }
        for row in 0..<count {
            let row = scores[row * classes..<(row + 1) * classes]
            let sum = row.reduce(0 as Double) { $0 + Double($1) }
            guard row.allSatisfy({ $0 >= 0 && $0 <= 1 }), abs(sum - 1) < 1e-3 else {
                throw refusal("golden scores are not probabilities")
            }
        }
        self.count = count
        self.height = height
        self.width = width
        self.classes = classes
        self.inputs = inputs
        self.scores = scores
        self.tolerance = tolerance
    }

    /// Reads the tensors `input` and `scores`.
    package init(file: SafetensorsFile, subject: String) throws(ModelError) {
        func refusal(_ problem: String) -> ModelError { ModelError(.damaged, subject, problem) }
        if let foreign = file.entries.first(where: { $0.name != "input" && $0.name != "scores" }) {
            throw refusal("unexpected tensor '\(foreign.name)'")
        }
        let input = try file.entry("input")
        let scores = try file.entry("scores")
        guard input.type == .uint8, input.shape.count == 4, input.shape[3] == 3 else {
            throw refusal("tensor 'input' is not U8 of N × H × W × 3")
        }
        guard scores.type == .float32, scores.shape.count == 2, scores.shape[0] == input.shape[0] else {
            throw refusal("tensor 'scores' is not F32 of N × classes")
        }
        guard let tolerance = file.metadata["tolerance"].flatMap(Float.init) else {
            throw refusal("no tolerance in the metadata")
        }
        try self.init(
            count: input.shape[0], height: input.shape[1], width: input.shape[2], classes: scores.shape[1],
            inputs: Array(file.bytes("input")), scores: file.floats("scores"), tolerance: tolerance, subject: subject)
    }

    /// The bytes of `golden.safetensors`.
    package func encode() throws(ModelError) -> [UInt8] {
        var writer = SafetensorsWriter()
        writer.metadata = ["tolerance": "\(tolerance)"]
        writer.add("input", shape: [count, height, width, 3], bytes: inputs)
        try writer.add("scores", shape: [count, classes], floats: scores)
        return writer.encode()
    }

    /// The largest absolute difference between `actual` (count × classes) and the golden scores; infinite where a
    /// value is not finite or the number of values differs.
    package func largestDifference(from actual: [Float]) -> Float {
        guard actual.count == scores.count, actual.allSatisfy(\.isFinite) else { return .infinity }
        return zip(actual, scores).reduce(0) { max($0, abs($1.0 - $1.1)) }
    }

    /// `actual` is what this model should give.
    package func accepts(_ actual: [Float]) -> Bool { largestDifference(from: actual) <= tolerance }
}
