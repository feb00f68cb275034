import FoundationEssentials
import FoveaSystem
import Glibc
import SystemPackage

// `foveactl plugin check` and `plugin list`: a plugin is looked at by `fovea-worker --check-plugin FILE` in a process
// of its own, which prints its findings as JSON, one a line. A plugin that crashes or hangs takes only that process
// with it, and the check that was running when it happened is reported as failed.

/// One line of a report.
package struct PluginFinding: Codable, Sendable, Equatable {
    package enum Outcome: String, Codable, Sendable {
        /// The check begins; if nothing follows, the plugin has ended the process.
        case begun
        case passed
        case failed
        /// Could not be checked, such as for want of parameters; the text says what would help.
        case skipped
    }

    /// `load`, `symbols`, `create`, `parameters`, `sizes`, `position`, `unknown`, `memory`, `describe`, `threads`.
    package let check: String
    package let outcome: Outcome
    package let text: String
    /// With a `load` that passed.
    package var plugin: PluginSummary?

    package init(_ check: String, _ outcome: Outcome, _ text: String, plugin: PluginSummary? = nil) {
        self.check = check
        self.outcome = outcome
        self.text = text
        self.plugin = plugin
    }
}

/// What a plugin says of itself.
package struct PluginSummary: Codable, Sendable, Equatable {
    package let name: String
    package let version: String
    package let kind: PluginKind
    package let description: String
    package let abi: Int
    /// The optional members of its table, by their names in C: `warm_up`, `describe`, `unknownness`.
    package let members: [String]
    package let file: String

    package init(_ library: PluginLibrary) {
        name = library.name
        version = library.version
        kind = library.kind
        description = library.description
        abi = Int(library.table.abi_version)
        members = library.optionalMembers
        file = library.path.escaped
    }
}

/// The findings about one file.
package struct PluginReport: Codable, Sendable, Equatable {
    package let file: String
    package let plugin: PluginSummary?
    /// Without those that only say that a check has begun.
    package let findings: [PluginFinding]
    /// Nothing failed. What was skipped is in the findings.
    package var passed: Bool { !findings.isEmpty && !findings.contains { $0.outcome == .failed } }
}

package enum PluginCheck {
    /// What a check is made with.
    package struct Options: Sendable {
        /// JSON object for `create`; nil tries `{}`, or what the model's configuration says.
        package var parameters: String?
        /// A model's folder, which a classifier may need.
        package var model: FilePath?
        /// How many labels a classifier is made for; nil is as many as the model has, 10 without one.
        package var classes: Int?
        /// Only load it and say what it is.
        package var brief = false
        /// The longest that the whole check may take.
        package var deadline: Duration = .seconds(120)
        /// nil is `fovea-worker` beside the running program.
        package var executable: FilePath?

        package init() {}
    }

    /// Checks a file. Throws only where the checking process cannot be started.
    package static func run(_ file: FilePath, _ options: Options = Options()) throws(SystemError) -> PluginReport {
        let (ours, theirs) = try SeqPacket.pair()
        defer { try? ours.close() }
        let process = try spawn(file, options, output: theirs)
        var lines: [PluginFinding] = []
        let deadline = ContinuousClock.now + options.deadline
        var late = false
        while true {
            var poller = pollfd(fd: ours.rawValue, events: Int16(POLLIN), revents: 0)
            let left = Int((deadline - .now) / .milliseconds(1))
            if left <= 0 || poll(&poller, 1, Int32(clamping: left)) == 0 {
                late = true
                process.signal(SIGKILL)
                break
            }
            guard let record = try SeqPacket.receive(from: ours, limit: 1 << 16) else { break }
            for descriptor in record.descriptors { try? descriptor.close() }
            // What the plugin itself prints does not parse and is passed over.
            if let line = try? JSONDecoder().decode(PluginFinding.self, from: Data(record.bytes)), lines.count < 1000 {
                lines.append(line)
            }
        }
        let ending = process.wait()
        if let last = lines.last, last.outcome == .begun {
            let what =
                late ? "still ran after \(options.deadline.components.seconds) s" : "ended the process: \(ending)"
            lines.append(PluginFinding(last.check, .failed, "the plugin \(what)"))
        } else if lines.isEmpty {
            lines.append(PluginFinding("load", .failed, "the checking process gave no report: \(ending)"))
        }
        return PluginReport(
            file: file.escaped, plugin: lines.compactMap(\.plugin).first,
            findings: lines.filter { $0.outcome != .begun })
    }

    /// Closes `output` here.
    private static func spawn(
        _ file: FilePath, _ options: Options, output: FileDescriptor
    ) throws(SystemError) -> ChildProcess {
        defer { try? output.close() }
        var arguments = [options.brief ? "--describe-plugin" : "--check-plugin", file.string]
        if let parameters = options.parameters { arguments.append("--parameters=\(parameters)") }
        if let classes = options.classes { arguments.append("--classes=\(classes)") }
        if let model = options.model { arguments.append("--model=\(model.string)") }
        return try ChildProcess(
            executable: options.executable ?? programDirectory().appending("fovea-worker"), arguments: arguments,
            environment: WorkerClient.environment(), output: output, ownGroup: true)
    }
}
