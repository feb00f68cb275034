import FoundationEssentials
import FoveaModels
import FoveaSystem

/// A failure as it travels: a short code for programs and a sentence for people.
package struct WorkerFault: Error, Codable, Sendable, Equatable, CustomStringConvertible {
    /// Lower case, digits and hyphens, such as `too-many-pixels`.
    package let code: String
    package let text: String

    /// The code where the worker process itself is gone.
    package static let lost = "worker-lost"

    /// Bounds both: a fault may come from a process that is no longer itself, and goes to logs and terminals.
    package init(code: String, text: String) {
        let allowed = code.utf8.filter { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D }
        self.code = String(decoding: allowed.prefix(40), as: UTF8.self)
        self.text = printable(text, atMost: 600)
    }

    private enum CodingKeys: CodingKey { case code, text }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            code: try container.decode(String.self, forKey: .code),
            text: try container.decode(String.self, forKey: .text))
    }

    package var description: String { "\(text) [\(code)]" }
}

/// Without control characters (C0, DEL, C1, and those that turn text around), and cut.
package func printable(_ text: String, atMost limit: Int) -> String {
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars.prefix(limit) {
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0, 0x2028...0x202E, 0x2066...0x2069: result.append(" ")
        default: result.append(scalar)
        }
    }
    return String(result)
}

/// What a worker says once it has passed its golden set and given up its rights: from here on it serves.
package struct WorkerHello: Codable, Sendable, Equatable {
    /// Which model, in full.
    package struct Model: Codable, Sendable, Equatable {
        package let name: String
        package let version: String
        /// SHA-256 of the manifest, which holds the hashes of all files, as hexadecimal digits.
        package let sha256: String

        package init(name: String, version: String, sha256: String) {
            self.name = name
            self.version = version
            self.sha256 = sha256
        }
    }

    /// One stage of the chain at work.
    package struct Stage: Codable, Sendable, Equatable {
        package let plugin: String
        package let version: String
        package let kind: PluginKind
        package let parameters: JSONValue
        /// What the plugin says of itself; null where it says nothing.
        package let details: JSONValue
        /// The library's file.
        package let library: String

        package init(
            plugin: String, version: String, kind: PluginKind, parameters: JSONValue, details: JSONValue,
            library: String
        ) {
            self.plugin = plugin
            self.version = version
            self.kind = kind
            self.parameters = parameters
            self.details = details
            self.library = library
        }
    }

    /// Milliseconds.
    package struct Timings: Codable, Sendable, Equatable {
        package var load = 0.0
        package var warmUp = 0.0
        package var golden = 0.0

        package init() {}
    }

    package struct Size: Codable, Sendable, Equatable {
        package let height: Int
        package let width: Int
        package let channels: Int

        package init(height: Int, width: Int, channels: Int = 3) {
            self.height = height
            self.width = width
            self.channels = channels
        }
    }

    package var pid: Int32
    /// Nil for a worker that only decodes; then there are no labels, stages or input either.
    package var model: Model?
    package var labels: [String] = []
    package var superclasses: [String]?
    /// For each label the index of its superclass.
    package var superclassOf: [Int]?
    package var input: Size?
    package var stages: [Stage] = []
    /// The chain in a line: `sharpen(amount=1) 1.0.0 → normalize(mode=signed) 1.0.0 → classifier-net 1.0.0`.
    package var chain = ""
    /// The model can tell which images belong to none of its classes: each of its scores comes with an unknown-ness.
    package var tellsUnknown = false
    /// Such as `avx512`, as the classifier states it; empty where it states none.
    package var instructionSet = ""
    /// Such as `landlock 7, seccomp, rlimits`; `none` where nothing holds the worker.
    package var sandbox = "none"
    /// What the kernel did not offer or did not do.
    package var sandboxGaps: [String] = []
    package var timings = Timings()
    /// Resident bytes after warm-up.
    package var residentBytes = 0
    /// The largest absolute difference of a probability from the golden set's.
    package var goldenDifference = 0.0
    /// Most images in a batch.
    package var batch = 0

    package init(pid: Int32) { self.pid = pid }

    /// Whether the daemon can work with this: labels become names of folders.
    func validate() throws(WorkerProtocolError) {
        if model != nil {
            do {
                try Labels.check(labels)
            } catch {
                throw WorkerProtocolError("hello: labels: \(printable(error.description, atMost: 300))")
            }
        }
        guard model != nil || !tellsUnknown else {
            throw WorkerProtocolError("hello: without a model there is no unknown-ness")
        }
        guard (model == nil) == labels.isEmpty, (model == nil) == stages.isEmpty, (model == nil) == (input == nil),
            stages.count <= Chain.mostStages
        else {
            throw WorkerProtocolError("hello: model, labels, stages and input do not belong together")
        }
        if let superclassOf {
            guard let superclasses, superclassOf.count == labels.count, superclasses.count <= Labels.most,
                superclassOf.allSatisfy({ superclasses.indices.contains($0) }),
                superclasses.allSatisfy({ Labels.problem($0) == nil })
            else { throw WorkerProtocolError("hello: superclasses") }
        } else if superclasses != nil {
            throw WorkerProtocolError("hello: superclasses")
        }
        guard (1...WorkerProtocol.mostImages).contains(batch) else {
            throw WorkerProtocolError("hello: batch \(batch)")
        }
        if let model {
            for (what, text) in [("name", model.name), ("version", model.version), ("sha256", model.sha256)] {
                guard Labels.problem(text) == nil else {
                    throw WorkerProtocolError("hello: the model's \(what)")
                }
            }
        }
    }
}
