// Reads YAML into `Configuration`.
//
// The document is walked node by node instead of through Decodable, because Yams gives each node's line and a decoder
// does not: a misspelt key or a bad value is reported with its line and with the key that was probably meant. A scalar
// is read from its text, so that `umask: 0027` means what it means to chmod, and `off` is not a Boolean.

import SystemPackage
import Yams

package enum ConfigurationReader {
    /// The configuration in `text`; what it does not mention keeps its default.
    package static func parse(_ text: String, file: String) throws(ConfigurationFileError) -> Configuration {
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch {
            throw fault(error, file: file)
        }
        var configuration = Configuration()
        guard let root, root.null == nil else { return configuration }
        let section = try Section(root, path: "", file: file, allowed: keys)

        try section.read("inbox", path, into: &configuration.inbox)
        try section.read("model", name, into: &configuration.model)
        try section.readList("plugins", path, into: &configuration.plugins)
        try section.read("settle", Units.duration, into: &configuration.settle)
        try section.read("outbox", path, into: &configuration.outbox)
        try section.read("corrections", path, into: &configuration.corrections)
        try section.read("models", path, into: &configuration.models)
        try section.read("state", path, into: &configuration.state)
        try section.read("socket", path, into: &configuration.socket)
        try section.read("workers", whole(0...1024), into: &configuration.workers)
        try section.read("batch", whole(1...250), into: &configuration.batch)
        try section.read("tta", averaging, into: &configuration.tta)
        try section.read("rollback", rollback, into: &configuration.rollsBack)
        try section.readByName(
            "confidence", fraction, into: &configuration.thresholds.confidence,
            byName: &configuration.thresholds.confidenceByLabel)
        try section.read("unknown", unknown, into: &configuration.thresholds.unknown)
        try section.read("http", address, into: &configuration.http)
        try section.read("history", Units.duration, into: &configuration.history)
        try section.read("min-free", Units.size, into: &configuration.minFree)
        try section.read("umask", octal, into: &configuration.umask)
        if let limits = try section.section("limits", allowed: ["file", "side", "pixels", "seconds", "memory"]) {
            try limits.read("file", Units.size, into: &configuration.limits.file)
            try limits.read("side", whole(1...1_000_000), into: &configuration.limits.side)
            try limits.read("pixels", whole(1...1_000_000_000_000), into: &configuration.limits.pixels)
            try limits.read("seconds", seconds, into: &configuration.limits.seconds)
            try limits.read("memory", Units.size, into: &configuration.limits.memory)
        }
        if let retrain = try section.section(
            "retrain",
            allowed: ["data", "start", "epochs", "preset", "budget", "fewest", "protected", "forget", "keep"])
        {
            try retrain.readList("data", name, into: &configuration.retrain.data)
            try retrain.read("start", start, into: &configuration.retrain.start)
            try retrain.read("epochs", whole(1...100_000), into: &configuration.retrain.epochs)
            try retrain.read("preset", name, into: &configuration.retrain.preset)
            try retrain.read("budget", time, into: &configuration.retrain.budget)
            try retrain.read("fewest", whole(1...100_000), into: &configuration.retrain.fewest)
            try retrain.readList("protected", name, into: &configuration.retrain.protected)
            try retrain.readList("forget", name, into: &configuration.retrain.forget)
            try retrain.read("keep", whole(1...1000), into: &configuration.retrain.keep)
        }
        return configuration
    }

    package static let keys = [
        "inbox", "model", "plugins", "settle", "outbox", "corrections", "models", "state", "socket", "workers", "batch",
        "tta", "rollback", "confidence", "unknown", "http", "limits", "history", "min-free", "umask", "retrain",
    ]

    // MARK: Values

    /// A value's text as a value, or what it must be.
    typealias Parser<Value> = (String) -> Parsed<Value>

    enum Parsed<Value> {
        case value(Value)
        case expected(String)
    }

    private static func path(_ text: String) -> Parsed<FilePath> {
        text.isEmpty || text.contains("\0") ? .expected("a path") : .value(FilePath(text))
    }

    private static func name(_ text: String) -> Parsed<String> { text.isEmpty ? .expected("a name") : .value(text) }

    private static func whole(_ range: ClosedRange<Int>) -> Parser<Int> {
        { text in
            if let value = Int(text), range.contains(value) { return .value(value) }
            return .expected("a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
    }

    private static func averaging(_ text: String) -> Parsed<String?> {
        if text == "model" { return .value(nil) }
        return ["none", "flip", "shift"].contains(text) ? .value(text) : .expected("model, none, flip or shift")
    }

    private static func rollback(_ text: String) -> Parsed<Bool> {
        ["auto": .value(true), "off": .value(false)][text] ?? .expected("auto or off")
    }

    private static func start(_ text: String) -> Parsed<Configuration.Retrain.Start> {
        if let value = Configuration.Retrain.Start(rawValue: text) { return .value(value) }
        return .expected("champion or scratch")
    }

    private static func fraction(_ text: String) -> Parsed<Double> {
        if let value = Double(text), (0...1).contains(value) { return .value(value) }
        return .expected("a number from 0 to 1")
    }

    private static func unknown(_ text: String) -> Parsed<Thresholds.Unknown> {
        switch text {
        case "model": return .value(.model)
        case "off": return .value(.off)
        default:
            if let factor = Double(text), factor > 0, factor.isFinite { return .value(.factor(factor)) }
            return .expected("model, off, or a number above 0, such as 1.5")
        }
    }

    private static func seconds(_ text: String) -> Parsed<Double> {
        if let value = Double(text), value > 0, value <= 3600 { return .value(value) }
        return .expected("a number of seconds, above 0 and at most 3600")
    }

    private static func time(_ text: String) -> Parsed<Duration> {
        if case .value(let value) = Units.duration(text), value > .zero { return .value(value) }
        return .expected("a time above 0, such as 20m or 8h")
    }

    private static func octal(_ text: String) -> Parsed<UInt32> {
        if let value = UInt32(text, radix: 8), value <= 0o777 { return .value(value) }
        return .expected("an octal number from 0000 to 0777, such as \"0027\"")
    }

    private static func address(_ text: String) -> Parsed<Configuration.HTTPAddress?> {
        if ["off", "false", "no"].contains(text.lowercased()) { return .value(nil) }
        if let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (1...65535).contains(port)
        {
            var host = String(text[..<colon])
            if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
            if ["127.0.0.1", "localhost", "::1"].contains(host) {
                return .value(Configuration.HTTPAddress(host: host, port: port))
            }
        }
        return .expected("off, or a loopback address with a port, such as 127.0.0.1:8732")
    }

    private static func fault(_ error: any Error, file: String) -> ConfigurationFileError {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            ConfigurationFileError(
                file: file, line: mark.line, problem: "this is not YAML: \(problem)",
                hint: "Look at the indentation and the quotes there.")
        case .duplicatedKeysInMapping(let duplicates, let context):
            ConfigurationFileError(
                file: file, line: context.mark.line,
                problem: "the same key stands twice: \(duplicates.sorted().joined(separator: ", "))",
                hint: "Keep one of them.")
        default:
            ConfigurationFileError(file: file, problem: "this is not YAML: \(error)")
        }
    }
}

/// A mapping of the document whose keys are known.
private struct Section {
    private let mapping: Node.Mapping
    private let path: String
    private let file: String

    init(_ node: Node, path: String, file: String, allowed: [String]) throws(ConfigurationFileError) {
        guard let mapping = node.mapping else {
            throw ConfigurationFileError(
                file: file, line: node.mark?.line, key: path.isEmpty ? nil : path,
                problem: "must be keys with values, one `key: value` a line")
        }
        self.mapping = mapping
        self.path = path
        self.file = file
        for (key, _) in mapping {
            let name = key.string ?? "?"
            if allowed.contains(name) { continue }
            let near = nearest(name, among: allowed)
            throw ConfigurationFileError(
                file: file, line: key.mark?.line, key: qualified(name), problem: "unknown key",
                hint: near.map { "Did you mean \(qualified($0))?" } ?? "Known are \(allowed.joined(separator: ", ")).")
        }
    }

    private func qualified(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    func section(_ key: String, allowed: [String]) throws(ConfigurationFileError) -> Section? {
        guard let node = mapping[key], node.null == nil else { return nil }
        return try Section(node, path: qualified(key), file: file, allowed: allowed)
    }

    func read<Value>(
        _ key: String, _ parse: ConfigurationReader.Parser<Value>, into value: inout Value
    ) throws(ConfigurationFileError) {
        guard let node = mapping[key] else { return }
        value = try scalar(node, key, parse)
    }

    func readList<Value>(
        _ key: String, _ parse: ConfigurationReader.Parser<Value>, into values: inout [Value]
    ) throws(ConfigurationFileError) {
        guard let node = mapping[key] else { return }
        guard let list = node.sequence else {
            values = [try scalar(node, key, parse)]
            return
        }
        var read: [Value] = []
        for element in list { read.append(try scalar(element, key, parse)) }
        values = read
    }

    /// The name of the value for all others, in a mapping that `readByName` reads.
    private static let others = "default"

    /// A value for all, or a mapping from names to values, of which `default` is that of all others.
    func readByName<Value>(
        _ key: String, _ parse: ConfigurationReader.Parser<Value>, into value: inout Value,
        byName values: inout [String: Value]
    ) throws(ConfigurationFileError) {
        guard let mapping = mapping[key]?.mapping else { return try read(key, parse, into: &value) }
        for (name, node) in mapping {
            guard let text = name.scalar?.string, !text.isEmpty else {
                throw ConfigurationFileError(
                    file: file, line: name.mark?.line, key: qualified(key), problem: "must have names before its values"
                )
            }
            let parsed = try scalar(node, "\(key).\(text)", parse)
            if text == Self.others { value = parsed } else { values[text] = parsed }
        }
    }

    private func scalar<Value>(
        _ node: Node, _ key: String, _ parse: ConfigurationReader.Parser<Value>
    ) throws(ConfigurationFileError) -> Value {
        let expected: String
        if let text = node.scalar?.string {
            switch parse(text) {
            case .value(let value): return value
            case .expected(let form): expected = "must be \(form), not \"\(text)\""
            }
        } else {
            expected = "must be a single value"
        }
        throw ConfigurationFileError(file: file, line: node.mark?.line, key: qualified(key), problem: expected)
    }
}
