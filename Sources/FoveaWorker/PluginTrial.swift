import FoveaPipeline
import Glibc

/// Buffers for trying a plugin: test images, output with guard bytes behind it.
final class Trial {
    let kind: PluginKind
    let shape: ImageShape
    let classes: Int
    let most: Int
    private let images: [[UInt8]]
    private let input: UnsafeMutableRawPointer
    private let output: UnsafeMutableRawPointer
    /// Of the images of the last batch; nil where the plugin says that it cannot tell, or is not asked.
    private(set) var unknownness: [Float]?
    private static let guardBytes = 256

    private var inputBytes: Int { shape.count * (kind == .classifier ? 4 : 1) }
    private var outputBytes: Int { kind == .filter ? shape.count : 4 * (kind == .normalizer ? shape.count : classes) }

    init(_ kind: PluginKind, shape: ImageShape, _ classes: Int, _ most: Int) {
        self.kind = kind
        self.shape = shape
        self.classes = classes
        self.most = most
        // Noise, black, white and in between, by a small generator.
        var state: UInt32 = 12345
        images = (0..<most).map { image in
            (0..<shape.count).map { _ in
                state = state &* 1_664_525 &+ 1_013_904_223
                return image == 1 ? 0 : image == 2 ? 255 : UInt8(state >> 24)
            }
        }
        input = .allocate(byteCount: most * shape.count * 4 + 64, alignment: 64)
        output = .allocate(byteCount: most * max(shape.count, classes) * 4 + Self.guardBytes + 64, alignment: 64)
    }

    deinit {
        input.deallocate()
        output.deallocate()
    }

    /// Puts image `choose(place)` at each place.
    func arrange(count: Int, _ choose: (Int) -> Int) {
        for place in 0..<count {
            let image = images[choose(place)]
            if kind == .classifier {
                let floats = (input + place * inputBytes).bindMemory(to: Float.self, capacity: shape.count)
                for (i, value) in image.enumerated() { floats[i] = (Float(value) - 127.5) / 127.5 }
            } else {
                image.withUnsafeBytes {
                    (input + place * inputBytes).copyMemory(from: $0.baseAddress!, byteCount: $0.count)
                }
            }
        }
    }

    /// Runs a batch; what is wrong with the result, nil when nothing is.
    func run(_ instance: PluginInstance, count: Int, arranged: Bool = false) throws(PluginError) -> String? {
        if !arranged { arrange(count: count) { $0 } }
        let before = [UInt8](UnsafeRawBufferPointer(start: input, count: count * inputBytes))
        // Bytes that are NaN as floats: what is not written shows.
        memset(output, 0xFF, count * outputBytes)
        memset(output + count * outputBytes, 0xA5, Self.guardBytes)
        try instance.process(count: count, input: input, output: output)
        guard
            (0..<Self.guardBytes).allSatisfy({
                output.load(fromByteOffset: count * outputBytes + $0, as: UInt8.self) == 0xA5
            })
        else { return "process writes beyond the end of its output" }
        guard before.elementsEqual(UnsafeRawBufferPointer(start: input, count: count * inputBytes)) else {
            return "process changes its input"
        }
        if kind == .filter { return nil }
        let values = UnsafeBufferPointer(
            start: output.bindMemory(to: Float.self, capacity: count * outputBytes / 4), count: count * outputBytes / 4)
        if kind == .normalizer { return values.allSatisfy(\.isFinite) ? nil : "a value is not a number" }
        for row in 0..<count {
            if let fault = scoresFault(values[row * classes..<(row + 1) * classes]) { return fault }
        }
        return kind == .classifier ? try askUnknownness(instance, count: count) : nil
    }

    /// Asks for the unknown-ness of the batch that has been run; what is wrong with the answer, nil when nothing is.
    private func askUnknownness(_ instance: PluginInstance, count: Int) throws(PluginError) -> String? {
        unknownness = nil
        let guards = 16
        // NaN with bits that nobody writes by chance: what is not written and what is written beyond show.
        let untouched = Float(nan: 0x2A55, signaling: false)
        let values = UnsafeMutablePointer<Float>.allocate(capacity: count + guards)
        defer { values.deallocate() }
        values.initialize(repeating: untouched, count: count + guards)
        guard try instance.unknownness(count: count, output: values) else { return nil }
        guard (count..<count + guards).allSatisfy({ values[$0].bitPattern == untouched.bitPattern }) else {
            return "unknownness writes beyond the end of its output"
        }
        let told = (0..<count).map { values[$0] }
        if PluginInstance.isUntold(told) { return nil }
        unknownness = told
        return told.lazy.compactMap { unknownnessFault($0) }.first.map { "unknownness gave \($0)" }
    }

    /// The results of the last batch, image by image: scores, and the unknown-ness behind them where it is told.
    func rows(_ count: Int) -> [[UInt8]] {
        (0..<count).map { row in
            let scores = [UInt8](UnsafeRawBufferPointer(start: output + row * outputBytes, count: outputBytes))
            guard let unknownness else { return scores }
            return scores + withUnsafeBytes(of: unknownness[row].bitPattern) { [UInt8]($0) }
        }
    }
}
