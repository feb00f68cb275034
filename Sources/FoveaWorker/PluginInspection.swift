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
    private let classes: Int
    /// Whether somebody said which parameters are right: then `create` must take them.
    private let isConfigured: Bool

    /// - Returns: 0 when nothing failed, 65 otherwise.
    static func run(_ file: FilePath, arguments: [String], brief: Bool) -> Int32 {
        _ = cl_die_with_parent(0)
        func argument(_ name: String) -> String? {
            arguments.first { $0.hasPrefix("--\(name)=") }.map { String($0.dropFirst(name.count + 3)) }
        }
        begin("load")
        do {
            let library = try PluginLibrary.load(file)
            let optional = library.optionalMembers
            let members = optional.isEmpty ? "" : ", with \(optional.joined(separator: ", "))"
            report(
                PluginFinding(
                    "load", .passed, "\(library.kind.rawValue) \(library.name) \(library.version), ABI 1\(members)",
                    plugin: PluginSummary(library)))
            if brief { return 0 }
            let model = try argument("model").map { try ModelFolder.verify(FilePath($0)) }
            let configured = model?.configuration.chain.first { $0.plugin == library.name }?.parameters.text
            let given = argument("parameters") ?? configured
            let inspection = PluginInspection(
                library: library, parameters: given ?? "{}", model: model,
                classes: argument("classes").flatMap { Int($0) } ?? model?.configuration.labels.count ?? 10,
                isConfigured: given != nil)
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
        var checks: [(String, () -> Verdict)] = [
            ("symbols", symbols), ("parameters", wrongParameters), ("create", create), ("describe", describe),
            ("sizes", sizes), ("position", positions), ("memory", memory), ("threads", threads),
        ]
        if library.kind == .classifier { checks.insert(("unknown", unknown), at: checks.count - 2) }
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
        case .failure(let error) where !isConfigured && (error.code == .parameters || error.code == .model):
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
            case .failure(let error) where error.code == .parameters:
                return (nil, isConfigured ? "no instance" : "needs parameters")
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

    /// Whether a classifier can tell which images belong to none of its classes. That the values are in range and of
    /// the same bits at every place, `sizes` and `position` have seen.
    private func unknown() -> Verdict {
        guard library.optionalMembers.contains("unknownness") else {
            return (nil, "its table has no unknownness (optional): no image is filed as unknown")
        }
        let (height, width) = ordinarySize
        guard case .success(let instance) = make(height: height, width: width) else { return (nil, "no instance") }
        let trial = Trial(library.kind, shape: ImageShape(height: height, width: width), classes, Self.most)
        do throws(PluginError) {
            if let fault = try trial.run(instance, count: Self.most) { return (false, fault) }
        } catch { return (false, error.description) }
        guard let told = trial.unknownness else {
            return (true, "says that it cannot tell with this model: no image is filed as unknown")
        }
        let values = told.map { "\($0)" }.joined(separator: ", ")
        return (true, "tells an unknown-ness of each image; of the test images: \(values)")
    }

    /// 1,000 instances, made and destroyed, leave nothing behind.
    ///
    /// Judged by the growth over each third of the rounds, and by the least of the three: a leak grows in all of them,
    /// while caches that fill and pages that the allocator keeps do not. malloc's own count is exact. Resident memory
    /// also shows what comes from elsewhere (mmap, another allocator), but moves by pages and with the size of what is
    /// allocated, so more of it is allowed.
    private func memory() -> Verdict {
        let (height, width) = ordinarySize
        var size = 0
        func cycle() -> Bool {
            let before = cl_heap_in_use()
            guard case .success(let instance) = make(height: height, width: width) else { return false }
            withExtendedLifetime(instance) { size = max(size, Int(cl_heap_in_use()) - Int(before)) }
            return true
        }
        func use() -> (heap: Int, resident: Int) {
            cl_heap_trim()
            return (Int(cl_heap_in_use()), Int(cl_resident()))
        }
        // A large network takes long to load: as many rounds as fit the time.
        let start = ContinuousClock.now
        var warmUps = 0
        while warmUps < 50, .now - start < .seconds(3) {
            guard cycle() else { return (nil, "no instance") }
            warmUps += 1
        }
        let each = (.now - start) / warmUps
        let third = max(3, min(334, Int(.seconds(10) / max(each, .nanoseconds(1)))))
        var heap = Int.max
        var resident = Int.max
        var before = use()
        for _ in 0..<3 {
            for _ in 0..<third where !cycle() { return (false, "an instance can no longer be made") }
            let after = use()
            heap = min(heap, after.heap - before.heap)
            resident = min(resident, after.resident - before.resident)
            before = after
        }
        let rounds = "\(third * 3) times create and destroy"
        let slack = 64 * third
        if heap > slack {
            return (false, "\(rounds): each leaves \(heap / third) bytes behind that destroy does not free")
        }
        if resident > slack + (128 << 10) + size / 8 {
            return (
                false,
                "\(rounds): resident memory grows by \(resident / third) bytes each time; destroy does not give back "
                    + "what create takes"
            )
        }
        return (true, "\(rounds) leave nothing behind")
    }

    private func threads() -> Verdict {
        let count = cl_thread_count()
        return (count == 1, count == 1 ? "starts none" : "\(count - 1) threads run after create; a worker has one")
    }
}
