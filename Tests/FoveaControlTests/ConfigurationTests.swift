import FoveaControl
import FoveaSystem
import Glibc
import SystemPackage
import Testing

@Suite struct ConfigurationTests {
    private func fault(_ yaml: String) -> ConfigurationFileError? {
        do {
            try ConfigurationReader.parse(yaml, file: "f.yaml").check(file: "f.yaml")
            return nil
        } catch {
            return error
        }
    }

    @Test func theFileOfTheDistributionSaysTheDefaultsAndEveryKey() throws {
        let root = FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent()
        let bytes = try Files.read(root.appending("etc").appending("fovea.yaml"))
        let text = String(decoding: bytes, as: UTF8.self)
        let configuration = try ConfigurationReader.parse(text, file: "etc/fovea.yaml")
        #expect(configuration == Configuration())
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let nested = ["file", "side", "pixels", "seconds", "memory", "data", "preset", "budget", "keep"]
        for key in ConfigurationReader.keys.map({ "\($0):" }) + nested.map({ "  \($0):" }) {
            let line = try #require(lines.firstIndex { $0.hasPrefix(key) }, "\(key) is missing")
            let above = lines[line - 1].drop { $0 == " " }
            #expect(above.hasPrefix("#") || (above.isEmpty && lines[line - 2].hasPrefix("#")), "\(key) has no comment")
        }
    }

    @Test func everyKeyIsRead() throws {
        let yaml = """
            inbox: /a/in
            model: m@2
            plugins: [/p, q]
            settle: 250ms
            outbox: /a/out
            corrections: /a/fix
            models: /a/models
            state: /a/state
            socket: /run/x.sock
            workers: 3
            batch: 250
            confidence: 0.25
            http: "[::1]:80"
            limits: {file: 1MB, side: 10, pixels: 100, seconds: 0.5, memory: 64MiB}
            history: 30d
            min-free: 5 GiB
            umask: 0077
            rollback: off
            unknown: 1.5
            retrain: {data: [d, e], start: scratch, epochs: 9, preset: slow, budget: 90m, fewest: 3, protected: [cat], keep: 2}
            """
        var expected = Configuration()
        expected.inbox = "/a/in"
        expected.model = "m@2"
        expected.plugins = ["/p", "q"]
        expected.settle = .milliseconds(250)
        expected.outbox = "/a/out"
        expected.corrections = "/a/fix"
        expected.models = "/a/models"
        expected.state = "/a/state"
        expected.socket = "/run/x.sock"
        expected.workers = 3
        expected.batch = 250
        expected.thresholds.confidence = 0.25
        expected.thresholds.unknown = .factor(1.5)
        expected.http = Configuration.HTTPAddress(host: "::1", port: 80)
        expected.limits.file = 1_000_000
        expected.limits.side = 10
        expected.limits.pixels = 100
        expected.limits.seconds = 0.5
        expected.limits.memory = 64 << 20
        expected.history = .seconds(30 * 86400)
        expected.minFree = 5 << 30
        expected.umask = 0o077
        expected.rollsBack = false
        expected.retrain.data = ["d", "e"]
        expected.retrain.start = .scratch
        expected.retrain.epochs = 9
        expected.retrain.fewest = 3
        expected.retrain.protected = ["cat"]
        expected.retrain.preset = "slow"
        expected.retrain.budget = .seconds(5400)
        expected.retrain.keep = 2
        let read = try ConfigurationReader.parse(yaml, file: "f")
        #expect(read == expected)
        try read.check()
    }

    @Test func confidenceIsANumberOrOneForEachLabel() throws {
        func read(_ yaml: String) throws -> Thresholds { try ConfigurationReader.parse(yaml, file: "f").thresholds }
        let map = try read("confidence:\n  default: 0.3\n  maple tree: 0.8\n  7: 0\n  no: 1\nunknown: off\n")
        #expect(map.confidence == 0.3 && map.confidenceByLabel == ["maple tree": 0.8, "7": 0, "no": 1])
        #expect(map.unknown == .off && map.unknown.limit == nil)
        #expect(map.confidence(for: "maple tree") == 0.8 && map.confidence(for: "cat") == 0.3)
        #expect(try read("confidence: {cat: 0.5}").confidence == 0, "the others keep the default")
        #expect(try read("unknown: model").unknown.limit == 1)
        #expect(try read("unknown: 2").unknown == .factor(2))
        let line = try #require(fault("batch: 3\nconfidence:\n  cat: 0.5\n  dog: much\n"))
        #expect(
            line.description == "f.yaml:4: confidence.dog: must be a number from 0 to 1, not \"much\".", "\(line)")
        #expect(try #require(fault("confidence: {cat: 0.5, cat: 0.6}")).description.contains("twice: cat"))
    }

    @Test func anEmptyFileIsTheDefaults() throws {
        #expect(try ConfigurationReader.parse("", file: "f") == Configuration())
        #expect(try ConfigurationReader.parse("# nothing\n", file: "f") == Configuration())
        #expect(try ConfigurationReader.parse("http: off", file: "f").http == nil)
    }

    @Test func anUnknownKeyIsNamedWithItsLineAndWhatWasMeant() throws {
        let error = try #require(fault("inbox: a\nbatsh: 3\n"))
        #expect(error.line == 2 && error.key == "batsh")
        #expect(error.description == "f.yaml:2: batsh: unknown key. Did you mean batch?")
        let nested = try #require(fault("limits:\n  file: 1MiB\n  sides: 3\n"))
        #expect(nested.description == "f.yaml:3: limits.sides: unknown key. Did you mean limits.side?")
        let far = try #require(fault("frobnicate: 1"))
        #expect(far.description.contains("Known are inbox, model,"))
    }

    @Test(arguments: [
        ("batch: 0", "batch"), ("batch: 251", "batch"), ("batch: many", "batch"), ("workers: -1", "workers"),
        ("confidence: {cat: 1.5}", "confidence.cat"), ("confidence: {default: no}", "confidence.default"),
        ("confidence: [0.5]", "confidence"), ("confidence: {cat: [1]}", "confidence.cat"),
        ("confidence: {\"\": 1}", "confidence"), ("unknown: 0", "unknown"), ("unknown: -1", "unknown"),
        ("unknown: inf", "unknown"), ("unknown: nan", "unknown"), ("unknown: on", "unknown"),
        ("unknown: {a: 1}", "unknown"),
        ("confidence: 1.5", "confidence"), ("confidence: nan", "confidence"), ("settle: 2", "settle"),
        ("settle: soon", "settle"), ("history: 365y", "history"), ("min-free: 1 potato", "min-free"),
        ("umask: \"0888\"", "umask"), ("umask: \"0777\"", "umask"), ("http: 0.0.0.0:80", "http"),
        ("http: 127.0.0.1", "http"), ("http: 127.0.0.1:0", "http"), ("limits: {seconds: 0}", "limits.seconds"),
        ("limits: {file: 10}", "limits.file"), ("limits: {memory: 1MiB}", "limits.memory"), ("limits: 3", "limits"),
        ("retrain: {keep: 0}", "retrain.keep"), ("retrain: {start: anew}", "retrain.start"),
        ("rollback: yes", "rollback"), ("model: ../m", "model"), ("model: \"\"", "model"),
        ("inbox: [a]", "inbox"), ("outbox: inbox", "outbox"), ("outbox: inbox/out", "outbox"),
        ("state: ./outbox/../inbox", "state"), ("inbox: var/in", "inbox"), ("corrections: outbox/fix", "corrections"),
    ])
    func aBadValueIsRefusedByItsKey(_ yaml: String, _ key: String) throws {
        let error = try #require(fault(yaml), "\(yaml) was accepted")
        #expect(error.key == key)
        #expect(error.description.hasPrefix("f.yaml"))
    }

    @Test(arguments: ["inbox: [a", "inbox: a\n\tb: c", "- a\n- b", "just words", "inbox: a\ninbox: b"])
    func whatIsNoMappingIsRefused(_ yaml: String) throws {
        let error = try #require(fault(yaml), "\(yaml) was accepted")
        #expect(error.line != nil)
    }

    @Test func aLongSocketPathIsRefused() throws {
        let error = try #require(fault("socket: /\(String(repeating: "s", count: 107))"))
        #expect(error.key == "socket")
    }

    @Test func aFolderThatIsReachedThroughALinkIsTheSameFolder() throws {
        let folder = try TemporaryFolder()
        try Files.makeDirectory(folder.path.appending("in"))
        #expect(symlink("in", folder.path.appending("alias").string) == 0)
        var configuration = Configuration()
        configuration.inbox = folder.path.appending("in")
        configuration.outbox = folder.path.appending("alias").appending("out")
        #expect(throws: ConfigurationFileError.self) { try configuration.check() }
    }

    @Test func aMissingFileIsAnErrorOnlyIfNamed() throws {
        let folder = try TemporaryFolder()
        #expect(throws: ConfigurationFileError.self) { try Configuration.load(folder.path.appending("none.yaml")) }
        let file = folder.path.appending("some.yaml")
        try Files.replace(file, with: Array("batch: 7\n".utf8))
        let (configuration, source) = try Configuration.load(file)
        #expect(configuration.batch == 7 && source == file)
    }

    @Test func spansAndSizesArePrintedForPeople() {
        #expect(Units.show(bytes: 1023) == "1023 B")
        #expect(Units.show(bytes: 32 << 20) == "32.0 MiB")
        #expect(Units.show(seconds: 0.44) == "0.4 s")
        #expect(Units.show(seconds: 303) == "5 min 3 s")
        #expect(Units.decimals(-0.005, 1) == "0.0")
        #expect(Units.decimals(93.04, 2) == "93.04")
        #expect(Units.decimals(-2.5, 0) == "-3")
    }
}

/// A folder that goes away with the value.
final class TemporaryFolder {
    let path: FilePath

    init() throws {
        var template = Array("/tmp/fovea-control-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError("mkdtemp", errno: Errno(rawValue: errno)) }
        path = FilePath(platformString: template)
    }

    deinit { try? Files.removeTree(path) }
}
