import ArgumentParser
import CLinux
import FoundationEssentials
import FoveaCLI
import FoveaControl
import FoveaModels
import FoveaPipeline
import FoveaSystem
import Glibc
import SystemPackage

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Looks for what keeps Fovea from working, and says what to do.")

    @OptionGroup var common: CommonOptions

    struct Finding: Encodable {
        enum Level: String, Encodable { case ok, warning, problem }
        let level: Level
        let what: String
        let detail: String
        let hint: String

        init(_ level: Level, _ what: String, _ detail: String, hint: String = "") {
            self.level = level
            self.what = what
            self.detail = detail
            self.hint = hint
        }
    }

    func run() throws {
        var findings: [Finding] = []
        var settings = Configuration()
        do throws(ConfigurationFileError) {
            let (read, file) = try Configuration.load(common.config?.path)
            settings = read
            findings.append(Finding(.ok, "configuration", file?.escaped ?? "no file; the defaults"))
        } catch {
            findings.append(Finding(.problem, "configuration", error.description))
        }
        findings.append(daemon(settings))
        findings += folders(settings)
        findings += programs()
        findings += plugins(settings)
        findings += models(settings)
        findings += kernel(settings)
        if common.json {
            try Console.json(findings)
        } else {
            for finding in findings where !common.quiet || finding.level != .ok {
                let mark =
                    switch finding.level {
                    case .ok: Console.green("ok      ")
                    case .warning: Console.bold("warning ")
                    case .problem: Console.red("PROBLEM ")
                    }
                Console.line("\(mark) \(pad(finding.what, 14)) \(safe(finding.detail))")
                if !finding.hint.isEmpty { Console.line("\(pad("", 9))\(pad("", 14)) → \(safe(finding.hint))") }
            }
        }
        let problems = findings.count { $0.level == .problem }
        if problems > 0 { throw Failure("\(problems) problem\(problems == 1 ? "" : "s") found.", .data) }
    }

    private func daemon(_ settings: Configuration) -> Finding {
        let socket = (try? common.socketPath()) ?? settings.socket
        do throws(ControlError) {
            let client = ControlClient(socket: socket, timeout: .seconds(10))
            let status = try client.call("GET", Routes.status, as: Status.self)
            let words =
                "\(status.mode.rawValue), process \(status.pid), \(status.workers.count) worker\(status.workers.count == 1 ? "" : "s")"
            guard status.intake.taking || status.mode == .paused else {
                return Finding(.warning, "daemon", "\(words), takes nothing: \(status.intake.reason ?? "")")
            }
            return Finding(.ok, "daemon", "\(words), sandbox: \(status.sandbox)")
        } catch {
            if case .unreachable = error {
                return Finding(
                    .warning, "daemon", "does not answer at \(socket.escaped)",
                    hint: "Start it with `fovead` or `make run`, or name its socket with --socket.")
            }
            return Finding(.problem, "daemon", error.description)
        }
    }

    private func folders(_ settings: Configuration) -> [Finding] {
        var findings: [Finding] = []
        var devices: Set<UInt64> = []
        for (name, path) in [("inbox", settings.inbox), ("outbox", settings.outbox), ("state", settings.state)] {
            guard let status = try? Files.statusIfPresent(path, followingLinks: true) else {
                findings.append(
                    Finding(.warning, name, "\(path.escaped) is not there", hint: "The daemon makes it when it starts.")
                )
                continue
            }
            if !status.isDirectory {
                findings.append(Finding(.problem, name, "\(path.escaped) is not a folder", hint: "Move it away."))
            } else if path.withPlatformString({ access($0, W_OK | X_OK) }) != 0 {
                findings.append(
                    Finding(
                        .problem, name, "\(path.escaped) is not writable for you",
                        hint: "Give the daemon's user the right to write there."))
            } else {
                findings.append(Finding(.ok, name, path.escaped))
                devices.insert(status.device)
            }
        }
        if devices.count > 1 {
            findings.append(
                Finding(
                    .warning, "file systems", "inbox, outbox and state are not on one",
                    hint: "It works, but images are copied instead of renamed; put them on one for speed."))
        }
        if let free = try? Files.freeSpace(at: (try? Files.resolve(settings.state)) ?? ".") {
            let words = "\(Units.show(bytes: free)) free, min-free is \(Units.show(bytes: settings.minFree))"
            findings.append(
                free < settings.minFree
                    ? Finding(.problem, "free space", words, hint: "Nothing is taken. Make room, or lower min-free.")
                    : Finding(.ok, "free space", words))
        }
        return findings
    }

    private func programs() -> [Finding] {
        ["fovead", "fovea-worker", "fovea-train"].map { name in
            let path = programDirectory().appending(name)
            return path.withPlatformString { access($0, X_OK) } == 0
                ? Finding(.ok, name, path.escaped)
                : Finding(.problem, name, "\(path.escaped) is missing", hint: "`make build` or `make install`.")
        }
    }

    private func plugins(_ settings: Configuration) -> [Finding] {
        let search = PluginSearch(settings.pluginFolders)
        return ["sharpen", "normalize", "classifier-net"].map { name in
            do throws(PluginError) {
                return Finding(.ok, "plugin", try search.find(name).escaped)
            } catch {
                return Finding(
                    .problem, "plugin", error.description, hint: "`make build`, or set plugins in the configuration.")
            }
        }
    }

    private func models(_ settings: Configuration) -> [Finding] {
        let store = ModelCommand.store(settings)
        do throws(ModelError) {
            var findings: [Finding] = []
            for model in try store.list() {
                do throws(ModelError) {
                    let verified = try ModelFolder.verify(model.folder)
                    findings.append(
                        Finding(
                            .ok, "model",
                            "\(model.identifier): all files as in its manifest \(verified.sha256.prefix(12))"))
                } catch {
                    findings.append(
                        Finding(
                            .problem, "model", "\(model.identifier): \(error)", hint: "Import it anew or remove it."))
                }
            }
            let active = try ActiveModel.read(settings.activeFile)
            let wanted = active.map { "\($0.active.name)@\($0.active.version)" } ?? settings.model
            do throws(ModelError) {
                let model = try store.resolve(wanted)
                findings.append(Finding(.ok, "serving", model.identifier.description))
                findings += thresholds(settings, model)
            } catch {
                findings.append(
                    Finding(
                        .problem, "serving", "\(error)",
                        hint: "Set model in the configuration to one of `foveactl model list`."))
            }
            return findings
        } catch {
            return [Finding(.problem, "models", "\(error)")]
        }
    }

    /// Thresholds that do nothing for the model that serves. Whether it can tell unknown images only its worker knows.
    private func thresholds(_ settings: Configuration, _ model: ModelStore.Model) -> [Finding] {
        // One that is damaged has a finding of its own.
        guard let verified = try? ModelFolder.verify(model.folder) else { return [] }
        return settings.thresholds.withoutEffect(
            on: "\(model.identifier)", labels: verified.configuration.labels, tellsUnknown: nil
        ).map {
            Finding(
                .warning, "thresholds", $0,
                hint: "`foveactl model show` has the labels. Correct the name, or leave it for a model that has it.")
        }
    }

    private func kernel(_ settings: Configuration) -> [Finding] {
        var findings: [Finding] = []
        let landlock = cl_landlock_abi()
        findings.append(
            landlock > 0
                ? Finding(.ok, "sandbox", "the kernel has Landlock, ABI \(landlock)")
                : Finding(
                    .warning, "sandbox", "the kernel has no Landlock",
                    hint: "Workers are held by seccomp and limits alone. Linux 5.13 and later have it."))
        func number(_ file: FilePath) -> Int? {
            // Files in /proc have no size, so they are read by hand.
            guard let descriptor = try? Files.open(file) else { return nil }
            defer { try? descriptor.close() }
            let bytes = (try? Files.read(descriptor, count: 64)) ?? []
            return Int(String(decoding: bytes, as: UTF8.self).filter(\.isNumber))
        }
        let folder: FilePath = "/proc/sys/fs/inotify"
        if let watches = number(folder.appending("max_user_watches")),
            let queue = number(folder.appending("max_queued_events"))
        {
            let words = "\(watches) folders may be watched, \(queue) events may wait"
            findings.append(
                watches < 8192
                    ? Finding(
                        .warning, "inotify", words,
                        hint: "With more subfolders than that, raise fs.inotify.max_user_watches.")
                    : Finding(.ok, "inotify", words))
        } else {
            findings.append(
                Finding(.warning, "inotify", "not in /proc", hint: "Without it the daemon polls the inbox."))
        }
        return findings
    }
}
