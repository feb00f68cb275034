import CLinux
import FoundationEssentials
import FoveaModels
import FoveaPipeline
import FoveaSystem
import Glibc
import SystemPackage

/// `fovea-worker --check-plugin`: looks at one plugin and prints what it finds; see `PluginCheck`.
struct PluginInspection {
    private let library: PluginLibrary
    private let parameters: String
    private let model: VerifiedModel?

    /// - Returns: 0 when nothing failed, 65 otherwise.
    static func run(_ file: FilePath, arguments: [String], brief: Bool) -> Int32 {
        _ = cl_die_with_parent(0)
        func argument(_ name: String) -> String? {
            arguments.first { $0.hasPrefix("--\(name)=") }.map { String($0.dropFirst(name.count + 3)) }
        }
        begin("load")
        do {
            let library = try PluginLibrary.load(file)
            report(
                PluginFinding(
                    "load", .passed, "\(library.kind.rawValue) \(library.name) \(library.version), ABI 1",
                    plugin: PluginSummary(library)))
            if brief { return 0 }
            let model = try argument("model").map { try ModelFolder.verify(FilePath($0)) }
            let configured = model?.configuration.chain.first { $0.plugin == library.name }?.parameters.text
            let inspection = PluginInspection(
                library: library, parameters: argument("parameters") ?? configured ?? "{}", model: model)
            return inspection.run() ? 0 : 65
        } catch {
            report(PluginFinding("load", .failed, "\(error)"))
            return 65
        }
    }

    private static func begin(_ check: String) { report(PluginFinding(check, .begun, "")) }

    private static func report(_ finding: PluginFinding) {
        guard let line = try? JSONEncoder().encode(finding) else { return }
        // One write a line: the reader takes records.
        try? Files.write(Array(line) + [0x0A], to: .standardOutput)
    }

    /// A check that has come to an end: its text, and whether it passed; nil is skipped.
    private typealias Verdict = (passed: Bool?, text: String)

    private func run() -> Bool {
        let checks: [(String, () -> Verdict)] = [
            ("symbols", symbols), ("parameters", wrongParameters), ("create", create), ("describe", describe),
            ("sizes", sizes), ("position", positions), ("memory", memory), ("threads", threads),
        ]
        var passed = true
        for (name, check) in checks {
            Self.begin(name)
            let verdict = check()
            if verdict.passed == false { passed = false }
            Self.report(
                PluginFinding(
                    name, verdict.passed.map { $0 ? .passed : .failed } ?? .skipped, verdict.text))
        }
        return passed
    }

    // MARK: - The checks

    private static let most = 5
    private var classes: Int { model?.configuration.labels.count ?? 10 }

    private func make(
        height: Int, width: Int, parameters: String? = nil
    ) -> Result<PluginInstance, PluginError> {
        Result { () throws(PluginError) in
            try PluginInstance(
                library, shape: ImageShape(height: height, width: width), classes: classes, maxCount: Self.most,
                parameters: parameters ?? self.parameters, modelDirectory: model?.folder)
        }
    }

    private var ordinarySize: (height: Int, width: Int) {
        (model?.configuration.input.height ?? 32, model?.configuration.input.width ?? 32)
    }

    private func symbols() -> Verdict {
        guard let exported = try? ELFSymbols.exported(by: library.path), !exported.isEmpty else {
            return (nil, "the file has no readable symbol table")
        }
        let others = exported.filter { $0 != "fovea_plugin_entry" && $0 != "_init" && $0 != "_fini" }
        if others.isEmpty { return (true, "only fovea_plugin_entry is visible") }
        return (
            false,
            "\(others.count) other symbols are visible and may clash with those of other plugins: "
                + others.prefix(3).joined(separator: ", ")
                + " …: compile with -fvisibility=hidden or link with a version script"
        )
    }

    private func wrongParameters() -> Verdict {
        let wrong = [
            "", "{", "[]", "7", "{\"no-such-parameter\":1}", "{\"no-such-parameter\":",
            String(repeating: "[", count: 10_000), "{\"\u{1F41F}\":null}",
        ]
        for text in wrong {
            let shown = text.count > 30 ? "\(text.prefix(10))…" : text
            switch make(height: ordinarySize.height, width: ordinarySize.width, parameters: text) {
            case .success: return (false, "accepts the parameters '\(shown)'; unknown keys and broken JSON are errors")
            case .failure(let error) where error.description.hasSuffix("no word why"):
                return (false, "refuses the parameters '\(shown)' without a sentence")
            case .failure: continue
            }
        }
        return (true, "refuses \(wrong.count) kinds of wrong parameters with a sentence")
    }

    private func create() -> Verdict {
        switch make(height: ordinarySize.height, width: ordinarySize.width) {
        case .success(let instance):
            do throws(PluginError) { try instance.warmUp() } catch { return (false, "warm_up: \(error)") }
            return (true, "made with \(parameters)")
        case .failure(let error) where error.code == .parameters || error.code == .model:
            return (nil, "needs --parameters or --model to be looked at further: \(error)")
        case .failure(let error): return (false, error.description)
        }
    }

    private func describe() -> Verdict {
        guard case .success(let instance) = make(height: ordinarySize.height, width: ordinarySize.width) else {
            return (nil, "no instance")
        }
        guard let text = instance.describe() else { return (nil, "says nothing of itself (optional)") }
        guard case .object? = try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8)) else {
            return (false, "describe gives no JSON object: \(text.prefix(80))")
        }
        return (true, text)
    }

    /// Odd sizes, every count, scores or values in range, nothing written outside, the input left alone.
    private func sizes() -> Verdict {
        var worked: [String] = []
        for (height, width) in [ordinarySize, (1, 1), (3, 7), (33, 17), (2, 3)] {
            let instance: PluginInstance
            switch make(height: height, width: width) {
            case .success(let made): instance = made
            // A classifier's network has one size.
            case .failure(let error) where [.shape, .model].contains(error.code) && library.kind == .classifier:
                continue
            case .failure(let error) where error.code == .parameters: return (nil, "needs parameters")
            case .failure(let error): return (false, "\(height)×\(width): \(error)")
            }
            let trial = Trial(library.kind, shape: ImageShape(height: height, width: width), classes, Self.most)
            for count in 1...Self.most {
                do throws(PluginError) {
                    if let fault = try trial.run(instance, count: count) {
                        return (false, "\(count) images of \(height)×\(width): \(fault)")
                    }
                } catch { return (false, "\(count) images of \(height)×\(width): \(error)") }
            }
            worked.append("\(height)×\(width)")
        }
        return worked.isEmpty
            ? (nil, "no size could be tried: give --model")
            : (true, worked.joined(separator: ", ") + ", 1 to \(Self.most) images")
    }

    /// An image's result is the same, to the last bit, alone and anywhere in a batch.
    private func positions() -> Verdict {
        let (height, width) = ordinarySize
        guard case .success(let instance) = make(height: height, width: width) else { return (nil, "no instance") }
        let trial = Trial(library.kind, shape: ImageShape(height: height, width: width), classes, Self.most)
        do throws(PluginError) {
            _ = try trial.run(instance, count: Self.most)
            let together = trial.rows(Self.most)
            for i in 0..<Self.most {
                for count in 1...Self.most {
                    for place in 0..<count {
                        trial.arrange(count: count) { $0 == place ? i : ($0 + i + 1) % Self.most }
                        _ = try trial.run(instance, count: count, arranged: true)
                        guard trial.rows(count)[place] == together[i] else {
                            return (false, "image \(i) gives another result at place \(place) of \(count)")
                        }
                    }
                }
            }
        } catch { return (false, error.description) }
        return (true, "the same bits at every place of every batch up to \(Self.most)")
    }

    private func memory() -> Verdict {
        let (height, width) = ordinarySize
        func cycle() -> Bool {
            guard case .success(let instance) = make(height: height, width: width) else { return false }
            _ = instance
            return true
        }
        for _ in 0..<50 where !cycle() { return (nil, "no instance") }
        let before = cl_resident()
        let start = ContinuousClock.now
        var cycles = 0
        // A large network takes long to load: as many as fit the time.
        while cycles < 1000, .now - start < .seconds(30) {
            _ = cycle()
            cycles += 1
        }
        let growth = Int(cl_resident()) - Int(before)
        let text = "\(cycles) times create and destroy: \(growth / 1024) KiB more"
        return (growth < 2 << 20, growth < 2 << 20 ? text : text + ": destroy does not free what create takes")
    }

    private func threads() -> Verdict {
        let count = cl_thread_count()
        return (count == 1, count == 1 ? "starts none" : "\(count - 1) threads run after create; a worker has one")
    }
}

/// Buffers for trying a plugin: test images, output with guard bytes behind it.
private final class Trial {
    let kind: PluginKind
    let shape: ImageShape
    let classes: Int
    let most: Int
    private let images: [[UInt8]]
    private let input: UnsafeMutableRawPointer
    private let output: UnsafeMutableRawPointer
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
        return nil
    }

    /// The results of the last batch, image by image.
    func rows(_ count: Int) -> [[UInt8]] {
        (0..<count).map { [UInt8](UnsafeRawBufferPointer(start: output + $0 * outputBytes, count: outputBytes)) }
    }
}
