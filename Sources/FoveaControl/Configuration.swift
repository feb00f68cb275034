import FoveaSystem
import Glibc
import SystemPackage

/// The configuration: what `etc/fovea.yaml` says, with a default for every key.
///
/// Relative paths are relative to the working directory. Sizes are bytes. `ConfigurationReader` fills it from YAML and
/// `ConfigurationRules` says which values are refused.
package struct Configuration: Sendable, Equatable {
    /// Where images are dropped.
    package var inbox: FilePath = "inbox"
    /// The first model, `NAME` or `NAME@VERSION`; afterwards `<state>/active.json` decides.
    package var model = "cifar100"
    /// Folders in which plugin libraries are searched.
    package var plugins: [FilePath] = ["lib/fovea"]
    /// Quiet time before a file that is being written is taken.
    package var settle: Duration = .seconds(2)
    package var outbox: FilePath = "outbox"
    package var corrections: FilePath = "corrections"
    /// Bundled models, which are only read.
    package var models: FilePath = "models"
    /// Spool, journal, history, data sets, trained models.
    package var state: FilePath = "var"
    /// The control API's unix socket.
    package var socket: FilePath = "var/run/fovead.sock"
    /// Worker processes; 0 is one per core.
    package var workers = 0
    /// The most images in a batch.
    package var batch = 64
    /// Averaging over changed copies of each image, `none`, `flip` or `shift`; nil leaves it to the model.
    package var tta: String?
    /// A model that keeps crashing, or is suddenly sure of nothing, gives way to the one before.
    package var rollsBack = true
    /// Which results go to `outbox/unsure` and `outbox/unknown`.
    package var thresholds = Thresholds()
    /// Where the web page is served; nil is off.
    package var http: HTTPAddress? = HTTPAddress(host: "127.0.0.1", port: 8732)
    package var limits = Limits()
    /// Older history is pruned.
    package var history: Duration = .seconds(365 * 86400)
    /// Free space below which nothing is taken.
    package var minFree = 1 << 30
    /// Of what is published.
    package var umask: UInt32 = 0o027
    package var retrain = Retrain()

    /// What one image may need.
    package struct Limits: Sendable, Equatable {
        package var file = 32 << 20
        /// Pixels.
        package var side = 16384
        package var pixels = 50_000_000
        package var seconds = 5.0
        /// Above what the worker holds after warm-up.
        package var memory = 512 << 20

        package init() {}
    }

    /// How challengers are trained.
    package struct Retrain: Sendable, Equatable {
        /// Data sets, by name or path, that corrections are added to; empty: those that the model was trained on.
        package var data: [String] = []
        package var start = Start.champion
        /// Of fine-tuning, at most.
        package var epochs = 5
        /// How a challenger is trained from scratch.
        package var preset = "fast"
        /// The longest time that one retraining takes.
        package var budget: Duration = .seconds(8 * 3600)
        /// Images that a new label needs.
        package var fewest = 10
        /// Labels that must not get worse.
        package var protected: [String] = []
        /// Labels of the model that need not be learnt any more.
        package var forget: [String] = []
        /// Trained versions that are kept.
        package var keep = 5

        /// What a challenger begins with.
        package enum Start: String, Sendable, CaseIterable {
            /// The weights of the model that serves, which are trained on.
            case champion
            /// Fresh weights, by the preset.
            case scratch
        }

        package init() {}
    }

    /// A loopback address with a port.
    package struct HTTPAddress: Sendable, Equatable, CustomStringConvertible {
        /// `127.0.0.1`, `localhost` or `::1`.
        package var host: String
        package var port: Int

        package init(host: String, port: Int) {
            self.host = host
            self.port = port
        }

        package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
    }

    /// The defaults.
    package init() {}

    /// Plugins that `foveactl model chain` has taken in: `<state>/plugins`.
    package var ownPlugins: FilePath { state.appending("plugins") }
    /// Where plugins are searched, beside the programs' own folders: those of `plugins`, then `ownPlugins`.
    package var pluginFolders: [FilePath] { plugins + [ownPlugins] }
    /// Trained models: `<state>/models`.
    package var trainedModels: FilePath { state.appending("models") }
    /// Data sets: `<state>/datasets`.
    package var datasets: FilePath { state.appending("datasets") }
    /// Which model serves: `<state>/active.json`.
    package var activeFile: FilePath { state.appending("active.json") }
    /// How the last swap went: `<state>/last-swap.json`.
    package var lastSwapFile: FilePath { state.appending("last-swap.json") }
    /// Models that are kept: `<state>/pinned.json`.
    package var pinnedFile: FilePath { state.appending("pinned.json") }

    /// The files that are looked for when no `--config` is given, in this order.
    package static let searched: [FilePath] = ["etc/fovea.yaml", "/etc/fovea/fovea.yaml"]

    /// Reads and checks the configuration.
    ///
    /// - Parameter explicit: the file given with `--config`, which must exist. Without it the first of `searched` that
    ///   exists; without any, the defaults, whose folders then are absolute: whoever stands in the wrong folder is told
    ///   which one that is.
    /// - Returns: the configuration, and the file that it came from; nil where that is none.
    package static func load(_ explicit: FilePath?) throws(ConfigurationFileError) -> (Configuration, FilePath?) {
        var file = explicit
        if file == nil {
            file = searched.first { (try? Files.statusIfPresent($0, followingLinks: true))?.isRegular == true }
        }
        var configuration = Configuration()
        if let file {
            configuration = try ConfigurationReader.parse(read(file), file: file.escaped)
        } else {
            configuration.makeAbsolute()
        }
        try configuration.check(file: file?.escaped ?? "defaults")
        return (configuration, file)
    }

    /// The daemon's socket, where something goes before the configuration's: `--socket`, else the variable `FOVEA_SOCKET`,
    /// unless a file was named with `--config`.
    package static func socket(option: FilePath?, named file: FilePath?) -> FilePath? {
        if let option { return option }
        guard file == nil, let variable = getenv("FOVEA_SOCKET"), variable.pointee != 0 else { return nil }
        return FilePath(platformString: variable)
    }

    /// What to tell people where `load` has found no file.
    package static var absence: String {
        "There is neither \(searched.map(\.string).joined(separator: " nor ")): using the defaults in "
            + "\(workingDirectory().escaped). Name a configuration with --config, or go to the folder that has one."
    }

    /// All but the socket, whose path may have 107 bytes only.
    private mutating func makeAbsolute() {
        let folder = Self.workingDirectory()
        for path in [\Configuration.inbox, \.outbox, \.corrections, \.models, \.state] {
            self[keyPath: path] = folder.pushing(self[keyPath: path])
        }
        plugins = plugins.map { folder.pushing($0) }
    }

    /// Empty where it has been removed: relative paths lead nowhere then.
    static func workingDirectory() -> FilePath {
        guard let current = getcwd(nil, 0) else { return FilePath() }
        defer { free(current) }
        return FilePath(platformString: current)
    }

    private static func read(_ file: FilePath) throws(ConfigurationFileError) -> String {
        do throws(SystemError) {
            let bytes = try Files.read(try Files.resolve(file), limit: 1 << 20)
            if let text = String(validating: bytes, as: UTF8.self) { return text }
        } catch {
            throw ConfigurationFileError(
                file: file.escaped,
                problem: error.errno == .noSuchFileOrDirectory ? "there is no such file" : "cannot be read: \(error)",
                hint: "Give another file with --config, or start from etc/fovea.yaml of the distribution.")
        }
        throw ConfigurationFileError(file: file.escaped, problem: "is not UTF-8 text", hint: "Save it as UTF-8.")
    }
}

/// A configuration that cannot be used: where, what, and what to do.
package struct ConfigurationFileError: Error, CustomStringConvertible, Sendable, Equatable {
    package let file: String
    /// From 1; nil where no line is at fault.
    package let line: Int?
    /// The key at fault, such as `limits.file`.
    package let key: String?
    package let problem: String
    package let hint: String

    package init(file: String, line: Int? = nil, key: String? = nil, problem: String, hint: String = "") {
        self.file = file
        self.line = line
        self.key = key
        self.problem = problem
        self.hint = hint
    }

    package var description: String {
        let place = line.map { "\(file):\($0)" } ?? file
        let fault = sentence(key.map { "\(place): \($0): \(problem)" } ?? "\(place): \(problem)")
        return hint.isEmpty ? fault : "\(fault) \(hint)"
    }
}
