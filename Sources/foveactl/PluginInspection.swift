import CLinux
import FoundationEssentials
import FoveaControl
import FoveaModels
import FoveaPipeline
import FoveaSystem
import SystemPackage

/// Trying a plugin, in the process that may be lost.
enum PluginInspection {
    static func run(_ file: FilePath, quick: Bool, settings: PluginTrialSettings) -> PluginReport {
        var report = PluginReport(file: file.escaped)
        do {
            let library = try PluginLibrary.load(file)
            report.name = library.name
            report.version = library.version
            report.kind = library.kind.rawValue
            report.about = library.description
            if quick { return report }
            report.checks.append(.init(what: "ABI version, entry symbol and table", passed: true, detail: ""))
            let trial = try Trial(library, settings)
            if let refusal = trial.refusal() {
                report.checks.append(.init(what: "parameters", passed: false, detail: refusal))
                return report
            }
            report.checks.append(check("images of odd sizes") { try trial.oddSizes() })
            report.checks.append(check("an image's values do not depend on its batch") { try trial.batches() })
            report.checks.append(check("memory after 1,000 instances") { try trial.growth() })
        } catch {
            report.fault = "\(error)"
        }
        return report
    }

    private static func check(_ what: String, _ body: () throws -> String) -> PluginReport.Check {
        do {
            return PluginReport.Check(what: what, passed: true, detail: try body())
        } catch {
            return PluginReport.Check(what: what, passed: false, detail: "\(error)")
        }
    }

    /// A sentence about what is wrong.
    private struct Fault: Error, CustomStringConvertible { let description: String }

    /// A plugin with the parameters that it is tried with.
    private struct Trial {
        let library: PluginLibrary
        let model: FilePath?
        let parameters: String
        /// Odd ones; for a classifier with a model, that model's.
        let shapes: [ImageShape]
        let classes: Int

        init(_ library: PluginLibrary, _ settings: PluginTrialSettings) throws {
            self.library = library
            let odd = [(1, 1), (1, 7), (5, 3), (33, 17), (32, 32)].map { ImageShape(height: $0.0, width: $0.1) }
            var stage: StageConfiguration?
            var configuration: ModelConfiguration?
            if let folder = settings.model.map({ FilePath($0) }) {
                let path = folder.appending(ModelFolder.configurationName)
                let read = try ModelConfiguration(
                    bytes: try ModelFolder.read(path, limit: ModelFolder.textLimit), subject: path.escaped)
                stage = read.chain.first { $0.plugin == library.name }
                if stage != nil { configuration = read }
            }
            model = stage == nil ? nil : settings.model.map { FilePath($0) }
            parameters = settings.parameters ?? stage?.parameters.text ?? "{}"
            classes = settings.classes ?? configuration?.labels.count ?? 10
            if library.kind == .classifier, let input = configuration?.input {
                shapes = [ImageShape(height: input.height, width: input.width)]
            } else {
                shapes = odd
            }
        }

        /// Why there can be no instance at all; nil when there can.
        func refusal() -> String? {
            var reason: String?
            for shape in shapes {
                do {
                    _ = try instance(shape, maxCount: 1)
                    return nil
                } catch {
                    reason = "\(error). Give what it needs with --parameters, --classes or --model."
                }
            }
            return reason
        }

        func instance(_ shape: ImageShape, maxCount: Int) throws -> PluginInstance {
            try PluginInstance(
                library, shape: shape, classes: classes, maxCount: maxCount, parameters: parameters,
                modelDirectory: model)
        }

        /// A refusal to work on a size is an answer too, as long as one size is accepted.
        func oddSizes() throws -> String {
            var worked: [String] = []
            var refused: [String] = []
            for shape in shapes {
                let name = "\(shape.height)×\(shape.width)"
                do {
                    let instance = try instance(shape, maxCount: 3)
                    try instance.warmUp()
                    for count in [1, 3] {
                        for pattern in Pattern.allCases { _ = try outputs(instance, shape, count, pattern, first: 0) }
                    }
                    worked.append(name)
                } catch let error as PluginError {
                    refused.append("\(name) (\(error))")
                }
            }
            if worked.isEmpty { throw Fault(description: "works on no size: \(refused.joined(separator: "; "))") }
            let others = refused.isEmpty ? "" : "; refuses \(refused.joined(separator: "; "))"
            return worked.joined(separator: ", ") + others
        }

        func batches() throws -> String {
            for shape in shapes.reversed() {
                guard let instance = try? instance(shape, maxCount: 5) else { continue }
                let together = try outputs(instance, shape, 5, .noise, first: 0)
                let size = together.count / 5
                for index in 0..<5 {
                    let alone = try outputs(instance, shape, 1, .noise, first: index)
                    guard alone == Array(together[index * size..<(index + 1) * size]) else {
                        throw Fault(description: "image \(index + 1) of 5 gives other values alone than in the batch")
                    }
                }
                return ""
            }
            throw Fault(description: "works on no size")
        }

        func growth() throws -> String {
            guard let shape = shapes.last(where: { (try? instance($0, maxCount: 1)) != nil }) else {
                throw Fault(description: "works on no size")
            }
            for _ in 0..<50 { _ = try instance(shape, maxCount: 1) }
            let before = Int(cl_resident())
            for _ in 0..<1000 { _ = try instance(shape, maxCount: 1) }
            let grown = Int(cl_resident()) - before
            guard grown < 8 << 20 else {
                throw Fault(description: "grows by \(Units.show(bytes: grown)): destroy does not free all")
            }
            return "\(Units.show(bytes: max(0, grown))) more"
        }

        enum Pattern: CaseIterable { case black, white, noise }

        /// Runs a batch between guard bytes; the bytes of what comes out.
        private func outputs(
            _ instance: PluginInstance, _ shape: ImageShape, _ count: Int, _ pattern: Pattern, first: Int
        ) throws -> [UInt8] {
            let values = count * shape.count
            let inputs: [UInt8] = (0..<values).map { index in
                switch pattern {
                case .black: 0
                case .white: 255
                case .noise: UInt8(truncatingIfNeeded: ((index + first * shape.count) &* 2_654_435_761) >> 13)
                }
            }
            let isClassifier = library.kind == .classifier
            let inputBytes = isClassifier ? values * 4 : values
            let outputBytes =
                switch library.kind {
                case .filter: values
                case .normalizer: values * 4
                case .classifier: count * classes * 4
                }
            let guards = 256
            let input = AlignedBuffer<UInt8>(count: inputBytes + guards)
            let output = AlignedBuffer<UInt8>(count: outputBytes + guards)
            input.pointer.update(repeating: 0xA5, count: input.count)
            output.pointer.update(repeating: 0xA5, count: output.count)
            if isClassifier {
                UnsafeMutableRawPointer(input.pointer).withMemoryRebound(to: Float.self, capacity: values) { floats in
                    for index in 0..<values { floats[index] = Float(inputs[index]) / 127.5 - 1 }
                }
            } else {
                for index in 0..<values { input.pointer[index] = inputs[index] }
            }
            try instance.process(count: count, input: input.pointer, output: output.pointer)
            for buffer in [(input, inputBytes), (output, outputBytes)] {
                guard (buffer.1..<buffer.1 + guards).allSatisfy({ buffer.0.pointer[$0] == 0xA5 }) else {
                    throw Fault(
                        description: "writes behind its buffer (\(shape.height)×\(shape.width), \(count) images)")
                }
            }
            if library.kind != .filter {
                let number = outputBytes / 4
                try UnsafeMutableRawPointer(output.pointer).withMemoryRebound(to: Float.self, capacity: number) {
                    floats in
                    let row = UnsafeBufferPointer(start: floats, count: number)
                    guard row.allSatisfy(\.isFinite) else {
                        throw Fault(description: "gives values that are not numbers (\(shape.height)×\(shape.width))")
                    }
                    for image in 0..<(isClassifier ? count : 0) {
                        if let fault = scoresFault(row[image * classes..<(image + 1) * classes]) {
                            throw Fault(description: fault)
                        }
                    }
                }
            }
            return (0..<outputBytes).map { output.pointer[$0] }
        }
    }
}
