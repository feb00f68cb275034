import FoveaPipeline
import FoveaSystem
import FoveaTestKit
import SystemPackage
import Testing

/// What is not a plugin, or not a right one, is refused with a message that names the file and the fault.
@Suite struct BrokenPluginTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func fault(_ path: FilePath) -> PluginError? {
        do throws(PluginError) {
            _ = try PluginLibrary.load(path)
            return nil
        } catch {
            return error
        }
    }

    @Test func missing() throws {
        let error = try #require(fault(folder.path.appending("libfovea-none.so")))
        #expect(error.code == .missing && error.description.contains("libfovea-none.so"))
        #expect(throws: PluginError.self) { try PluginSearch([folder.path]).find("none") }
        #expect(throws: PluginError.self) { try PluginSearch([folder.path]).find("../etc/passwd") }
    }

    @Test func foreignFiles() throws {
        let text = try folder.write("libfovea-text.so", Array("hello, I am text".utf8))
        #expect(fault(text)?.code == .notALibrary)
        #expect(fault(try folder.write("libfovea-empty.so", []))?.code == .notALibrary)
        #expect(fault(folder.path)?.code == .notALibrary)
        #expect(fault("/dev/null")?.code == .notALibrary)
        #expect(fault("/proc/self/exe")?.code != nil)
    }

    @Test func truncated() throws {
        let whole = try Files.read(try compilePlugin("whole", filterSource(), in: folder))
        for length in [1, 63, 64, 100, 500, whole.count / 4, whole.count / 2, whole.count - 1] {
            let path = try folder.write("libfovea-cut.so", whole.prefix(length))
            let error = try #require(fault(path), "\(length) of \(whole.count) bytes")
            #expect(error.code == .notALibrary && error.description.contains("libfovea-cut.so"))
        }
        var foreign = whole
        foreign[18] = 0x28
        foreign[19] = 0
        #expect(fault(try folder.write("libfovea-arm.so", foreign))?.description.contains("machine") == true)
    }

    @Test func noEntry() throws {
        let path = try compilePlugin("nosymbol", "int nothing_to_see(void) { return 1; }", in: folder)
        #expect(fault(path)?.code == .notAPlugin)
        let null = try compilePlugin("null", filterSource(entry: "return NULL;"), in: folder)
        #expect(fault(null)?.code == .notAPlugin)
    }

    @Test func versions() throws {
        let new = try #require(fault(try compilePlugin("new", filterSource(abi: "99"), in: folder)))
        #expect(new.code == .tooNew && new.description.contains("libfovea-new.so") && new.description.contains("99"))
        let old = try #require(fault(try compilePlugin("old", filterSource(abi: "0"), in: folder)))
        #expect(old.code == .tooOld)
        #expect(fault(try compilePlugin("small", filterSource(size: "16"), in: folder))?.code == .malformed)
    }

    @Test func optionalMembersMayBeMissing() throws {
        // A table that ends before warm_up: what lies behind it must not be looked at.
        let size = "offsetof(fovea_plugin, warm_up)"
        let library = try PluginLibrary.load(try compilePlugin("short", filterSource(size: size), in: folder))
        let instance = try PluginInstance(
            library, shape: ImageShape(height: 2, width: 2), classes: 1, maxCount: 1, parameters: "{}")
        try instance.warmUp()
        #expect(instance.describe() == nil)
    }

    @Test func malformedTables() throws {
        #expect(fault(try compilePlugin("nullp", filterSource(processMember: "NULL"), in: folder))?.code == .malformed)
        #expect(fault(try compilePlugin("kind", filterSource(kind: "(fovea_kind)9"), in: folder))?.code == .malformed)
        #expect(fault(try compilePlugin("name", filterSource(name: "\"../x\""), in: folder))?.code == .malformed)
        try compilePlugin("alias", filterSource(), in: folder)
        do throws(PluginError) {
            _ = try PluginSearch([folder.path]).load("alias")
            Issue.record("a plugin under another name was loaded")
        } catch { #expect(error.code == .malformed && error.description.contains("broken")) }
    }

    @Test func refusalsCarryTheSentence() throws {
        let library = try PluginLibrary.load(try compilePlugin("ok", filterSource(), in: folder))
        #expect(library.name == "broken" && library.kind == .filter)
        do throws(PluginError) {
            _ = try PluginInstance(
                library, shape: ImageShape(height: 2, width: 2), classes: 1, maxCount: 1, parameters: "{\"a\":1}")
            Issue.record("wrong parameters were accepted")
        } catch { #expect(error.code == .parameters && error.description == "broken: takes no parameters") }
    }

    @Test func checkReportsCrashesAndHangs() throws {
        var options = PluginCheck.Options()
        options.executable = productsFolder().appending("fovea-worker")
        func check(_ name: String, _ source: String) throws -> PluginReport {
            try PluginCheck.run(try compilePlugin(name, source, in: folder), options)
        }
        let good = try check("good", filterSource())
        #expect(good.passed, "\(good.findings)")
        #expect(good.plugin?.name == "broken")

        let crash = try check("crash", filterSource(create: "abort();"))
        #expect(!crash.passed)
        #expect(crash.findings.last?.check == "create" && crash.findings.last?.text.contains("signal 6") == true)

        let overrun = "memset(out, 7, (size_t)s.count * s.height * s.width * 3 + 1); return FOVEA_OK;"
        let over = try check("overrun", filterSource(process: overrun))
        #expect(over.findings.contains { $0.check == "sizes" && $0.outcome == .failed && $0.text.contains("beyond") })

        let positional =
            "memcpy(out, in, (size_t)s.count * s.height * s.width * 3); *(char *)out = s.count; return FOVEA_OK;"
        let position = try check("position", filterSource(process: positional))
        #expect(position.findings.contains { $0.check == "position" && $0.outcome == .failed })

        // Small ones too, and what malloc does not know of.
        let leaks = [
            "*i = malloc(300); memset(*i, 1, 300); return FOVEA_OK;",
            "*i = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); memset(*i, 1, 4096); "
                + "return FOVEA_OK;",
        ]
        for (number, leak) in leaks.enumerated() {
            let report = try check("leak\(number)", "#include <sys/mman.h>\n" + filterSource(create: leak))
            #expect(
                report.findings.contains { $0.check == "memory" && $0.outcome == .failed }, "\(report.findings)")
        }

        // Parameters that somebody gave must be taken; those that nobody gave may be missing.
        let picky = filterSource(
            create: "snprintf(e->text, e->capacity, \"needs more\"); return FOVEA_ERROR_PARAMETERS;")
        #expect(try check("picky", picky).findings.contains { $0.check == "create" && $0.outcome == .skipped })
        options.parameters = "{}"
        #expect(try !check("picky", picky).passed)
        options.parameters = nil

        let loud = filterSource().replacing(
            "static int kept;",
            with: "static int kept; int visible_thing(void); FOVEA_EXPORT int visible_thing(void) { return kept; }")
        #expect(try check("loud", loud).findings.contains { $0.check == "symbols" && $0.outcome == .failed })

        options.deadline = .seconds(2)
        let hang = try check("hang", filterSource(create: "for (;;) usleep(1000);"))
        #expect(!hang.passed && hang.findings.last?.text.contains("still ran") == true)

        let text = try PluginCheck.run(try folder.write("libfovea-t.so", Array("text".utf8)), options)
        #expect(!text.passed && text.plugin == nil)
    }
}

extension String {
    func replacing(_ text: String, with other: String) -> String {
        guard let range = firstRange(of: text) else { return self }
        var copy = self
        copy.replaceSubrange(range, with: other)
        return copy
    }
}
