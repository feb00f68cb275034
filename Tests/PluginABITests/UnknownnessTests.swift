import FoveaModels
import FoveaPipeline
import FoveaSystem
import FoveaTestKit
import SystemPackage
import Testing

/// The optional member `unknownness` of a classifier's table, through the C ABI.
@Suite struct UnknownnessTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// A classifier that is sure of its first label, and whose unknown-ness is the first value of an image.
    ///
    /// - Parameters:
    ///   - size: what its table says of its own size.
    ///   - told: statements in C that write `output` from `kept[0]` to `kept[count - 1]`.
    private func source(
        size: String = "sizeof(fovea_plugin)",
        told: String = "for (int n = 0; n < count; n++) output[n] = kept[n] + 1; return FOVEA_OK;"
    ) -> String {
        """
        #include "fovea_plugin.h"
        #include <math.h>
        #include <stddef.h>
        #include <stdio.h>
        #include <string.h>
        static float kept[64];
        static int classes;
        static fovea_status create(const fovea_create_args *a, fovea_instance **i, fovea_error *e) {
            if (strcmp(a->parameters, "{}") != 0) {
                snprintf(e->text, e->capacity, "takes no parameters");
                return FOVEA_ERROR_PARAMETERS;
            }
            classes = a->classes;
            *i = (fovea_instance *)kept;
            return FOVEA_OK;
        }
        static void destroy(fovea_instance *i) { (void)i; }
        static fovea_status process(fovea_instance *i, fovea_shape s, const void *in, void *out, fovea_error *e) {
            (void)i; (void)e;
            memset(out, 0, sizeof(float) * (size_t)s.count * (size_t)classes);
            for (int n = 0; n < s.count; n++) {
                kept[n] = ((const float *)in)[(size_t)n * s.height * s.width * 3];
                ((float *)out)[(size_t)n * classes] = 1;
            }
            return FOVEA_OK;
        }
        static fovea_status told(fovea_instance *i, int32_t count, float *output, fovea_error *e) {
            (void)i; (void)count; (void)output; (void)e; \(told)
        }
        static const fovea_plugin plugin = {
            .abi_version = FOVEA_ABI_VERSION, .struct_size = \(size), .kind = FOVEA_CLASSIFIER, .name = "gauge",
            .version = "1", .description = "test", .create = create, .destroy = destroy, .process = process,
            .unknownness = told};
        FOVEA_EXPORT const fovea_plugin *fovea_plugin_entry(const fovea_host *h) { (void)h; return &plugin; }
        """
    }

    /// Normalize and this classifier, for images of one pixel.
    private func chain(_ source: String, maxCount: Int = 4) throws -> Chain {
        try compilePlugin("gauge", source, in: folder)
        return try Chain(
            [
                StageConfiguration(plugin: "normalize", parameters: .object(["mode": .string("signed")])),
                StageConfiguration(plugin: "gauge"),
            ], shape: ImageShape(height: 1, width: 1), classes: 3, maxCount: maxCount,
            search: PluginSearch([folder.path, productsFolder()]))
    }

    @Test func standsBesideTheScores() throws {
        let chain = try chain(source())
        #expect(chain.unknownness == nil, "before the first batch")
        _ = try chain.process([0, 9, 9, 255, 9, 9])
        #expect(chain.unknownness == [0, 2])
        _ = try chain.process([51, 0, 0])
        let alone = try #require(chain.unknownness)
        _ = try chain.process([9, 9, 9, 51, 1, 2, 0, 0, 0])
        #expect(alone.count == 1 && chain.unknownness?.count == 3 && chain.unknownness?[1] == alone[0])
    }

    @Test func aModelThatCannotTellSaysSo() throws {
        let untold = "for (int n = 0; n < count; n++) output[n] = FOVEA_UNKNOWNNESS_UNTOLD; return FOVEA_OK;"
        let chain = try chain(source(told: untold))
        _ = try chain.process([1, 2, 3, 4, 5, 6])
        #expect(chain.unknownness == nil)
    }

    @Test func whatIsNotWrittenIsNoNumber() throws {
        let chain = try chain(source(told: "output[0] = 0; return FOVEA_OK;"))
        _ = try chain.process([1, 2, 3, 4, 5, 6])
        let told = try #require(chain.unknownness)
        #expect(told[0] == 0 && told[1].isNaN && unknownnessFault(told[1]) != nil)
    }

    @Test func aFailureCarriesTheSentence() throws {
        let fails = "snprintf(e->text, e->capacity, \"no measure\"); return FOVEA_ERROR_INTERNAL;"
        let chain = try chain(source(told: fails))
        do throws(PluginError) {
            _ = try chain.process([1, 2, 3])
            Issue.record("a failure was taken for an answer")
        } catch { #expect(error.description == "gauge: no measure") }
    }

    /// Tables of the header before this member, and one that the size cuts in two: what lies behind is not looked at.
    @Test(arguments: [
        "offsetof(fovea_plugin, unknownness)", "offsetof(fovea_plugin, unknownness) + 4",
        "offsetof(fovea_plugin, warm_up)",
    ])
    func oldPluginsKeepWorking(_ size: String) throws {
        let chain = try chain(source(size: size))
        let scores = try chain.process([0, 9, 9, 255, 9, 9])
        #expect(scores == [1, 0, 0, 1, 0, 0] && chain.unknownness == nil)
        #expect(chain.stages.last?.instance.library.optionalMembers == [])
    }

    @Test func onlyAClassifierIsAsked() throws {
        let path = try compilePlugin(
            "filter",
            filterSource().replacing(
                "static const fovea_plugin",
                with:
                    "static fovea_status told(fovea_instance *i, int32_t n, float *o, fovea_error *e) { (void)i; (void)n; "
                    + "(void)o; (void)e; abort(); }\nstatic const fovea_plugin"
            ).replacing(".process = process}", with: ".process = process, .unknownness = told}"), in: folder)
        let instance = try PluginInstance(
            try PluginLibrary.load(path), shape: ImageShape(height: 1, width: 1), classes: 1, maxCount: 1,
            parameters: "{}")
        var value: Float = 0
        #expect(try !instance.unknownness(count: 1, output: &value))
    }

    // MARK: - plugin check

    private func check(_ source: String) throws -> PluginReport {
        var options = PluginCheck.Options()
        options.executable = productsFolder().appending("fovea-worker")
        return try PluginCheck.run(try compilePlugin("gauge", source, in: folder), options)
    }

    @Test func theCheckShowsIt() throws {
        let told = try check(source())
        #expect(told.passed && told.plugin?.members == ["unknownness"], "\(told)")
        #expect(told.findings.first?.text.hasSuffix("ABI 1, with unknownness") == true, "\(told.findings)")
        let finding = try #require(told.findings.first { $0.check == "unknown" })
        #expect(finding.outcome == .passed && finding.text.contains("tells an unknown-ness"), "\(finding)")

        let untold = "for (int n = 0; n < count; n++) output[n] = FOVEA_UNKNOWNNESS_UNTOLD; return FOVEA_OK;"
        let silent = try #require(try check(source(told: untold)).findings.first { $0.check == "unknown" })
        #expect(silent.outcome == .passed && silent.text.contains("cannot tell"), "\(silent)")

        let old = try check(source(size: "offsetof(fovea_plugin, unknownness)"))
        #expect(old.passed && old.plugin?.members == [])
        #expect(old.findings.contains { $0.check == "unknown" && $0.outcome == .skipped })
    }

    @Test(arguments: [
        ("output[0] = NAN; return FOVEA_OK;", "sizes", "not a number"),
        ("for (int n = 0; n < count; n++) output[n] = -0.5f; return FOVEA_OK;", "sizes", "below 0"),
        ("for (int n = 0; n < count; n++) output[n] = n ? -1 : 1; return FOVEA_OK;", "sizes", "below 0"),
        ("for (int n = 0; n <= count; n++) output[n] = 1; return FOVEA_OK;", "sizes", "beyond the end"),
        ("return FOVEA_OK;", "sizes", "not a number"),
        ("for (int n = 0; n < count; n++) output[n] = n; return FOVEA_OK;", "position", "another result"),
        ("for (int n = 0; n < count; n++) output[n] = count == 1 ? -1 : 1; return FOVEA_OK;", "position", "another"),
    ])
    func theCheckFindsFaults(_ told: String, _ check: String, _ words: String) throws {
        let report = try self.check(source(told: told))
        let finding = report.findings.first { $0.check == check }
        #expect(!report.passed && finding?.outcome == .failed && finding?.text.contains(words) == true, "\(report)")
    }

    // MARK: - The plugins that come with Fovea

    @Test func theExampleTellsByItsReach() throws {
        func chain(_ reach: JSONValue?) throws -> Chain {
            var parameters: [String: JSONValue] = ["colours": .array([1, -1, -1, -1, 1, -1].map { .int($0) })]
            parameters["reach"] = reach
            return try Chain(
                [
                    StageConfiguration(plugin: "normalize", parameters: .object(["mode": .string("signed")])),
                    StageConfiguration(plugin: "example-c", parameters: .object(parameters)),
                ], shape: ImageShape(height: 1, width: 1), classes: 2, maxCount: 2,
                search: PluginSearch([productsFolder()]))
        }
        // Red itself, and blue: 2 · √2 from either colour.
        let pixels: [UInt8] = [255, 0, 0, 0, 0, 255]
        let told = try chain(.number(0.5))
        _ = try told.process(pixels)
        let values = try #require(told.unknownness)
        #expect(values[0] == 0 && abs(values[1] - 2 * Float(2).squareRoot() / 0.5) < 1e-5, "\(values)")
        let untold = try chain(nil)
        _ = try untold.process(pixels)
        #expect(untold.unknownness == nil)
        #expect(throws: PluginError.self) { try chain(.int(0)) }
    }

    /// What comes between Swift and C answers for every plugin in Swift.
    @Test func theKitOffersItForClassifiersOnly() throws {
        let search = PluginSearch([productsFolder()])
        #expect(try search.load("classifier-net").optionalMembers == ["warm_up", "describe", "unknownness"])
        for name in ["sharpen", "normalize"] {
            #expect(try search.load(name).optionalMembers == ["warm_up", "describe"])
        }
    }
}
