import FoundationEssentials
import FoveaModels
import FoveaSystem
import FoveaTestKit
import SystemPackage
import Testing

/// A classifier in C that reads all from an image's first pixel: red says which of four labels it is, with a probability of
/// 0.7, and green divided by 100 is the unknown-ness.
enum GaugePlugin {
    /// Into `plugins/` of a folder.
    ///
    /// - Parameter size: what its table says of its own size, in C.
    static func compile(size: String = "sizeof(fovea_plugin)", in folder: TemporaryFolder) throws {
        let source = """
            #include "fovea_plugin.h"
            #include <stddef.h>
            static float green[300];
            static fovea_status create(const fovea_create_args *a, fovea_instance **i, fovea_error *e) {
                (void)a; (void)e; *i = (fovea_instance *)green; return FOVEA_OK;
            }
            static void destroy(fovea_instance *i) { (void)i; }
            static float byte(float x) { return (float)(int)(x * 127.5f + 128); }
            static fovea_status process(fovea_instance *i, fovea_shape s, const void *in, void *out, fovea_error *e) {
                (void)i; (void)e;
                for (int n = 0; n < s.count; n++) {
                    const float *p = (const float *)in + (size_t)n * s.height * s.width * 3;
                    float *row = (float *)out + n * 4;
                    for (int k = 0; k < 4; k++) row[k] = 0.1f;
                    row[(int)(byte(p[0]) / 64)] = 0.7f;
                    green[n] = byte(p[1]) / 100;
                }
                return FOVEA_OK;
            }
            static fovea_status unknownness(fovea_instance *i, int32_t count, float *output, fovea_error *e) {
                (void)i; (void)e;
                for (int n = 0; n < count; n++) output[n] = green[n];
                return FOVEA_OK;
            }
            static const fovea_plugin plugin = {
                .abi_version = FOVEA_ABI_VERSION, .struct_size = \(size), .kind = FOVEA_CLASSIFIER, .name = "gauge",
                .version = "1", .description = "test", .create = create, .destroy = destroy, .process = process,
                .unknownness = unknownness};
            FOVEA_EXPORT const fovea_plugin *fovea_plugin_entry(const fovea_host *h) { (void)h; return &plugin; }
            """
        let input = try folder.write("plugins/gauge.c", Array(source.utf8))
        let package = FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent()
        let child = try ChildProcess(
            executable: "/usr/bin/cc",
            arguments: [
                "-std=gnu11", "-O1", "-fPIC", "-shared", "-fvisibility=hidden", "-I",
                package.pushing("Sources/CFoveaPlugin/include").string, "-o",
                folder.path.pushing("plugins/libfovea-gauge.so").string, input.string,
            ], environment: ["PATH=/usr/bin:/bin"])
        guard child.wait() == .exited(0) else { throw TestFailure(description: "the plugin does not compile") }
    }

    /// `gauge@1` in the daemon's store, made of this classifier.
    static func make(_ daemon: RunningDaemon, labels: [String] = Fixture.labels) throws {
        let black = [UInt8](repeating: 0, count: 32 * 32 * 3)
        let golden = try GoldenSet(
            count: 1, height: 32, width: 32, classes: 4, inputs: black, scores: [0.7, 0.1, 0.1, 0.1])
        let configuration = ModelConfiguration(
            name: "gauge", version: "1", description: "for tests", labels: labels, input: .init(height: 32, width: 32),
            chain: [
                StageConfiguration(plugin: "normalize", parameters: .object(["mode": .string("signed")])),
                StageConfiguration(plugin: "gauge"),
            ])
        try daemon.makeModel("gauge") {
            $0 = try ModelFolder.files(configuration: configuration, weights: nil, golden: golden)
            // Which `makeModel` writes anew.
            $0[ModelFolder.manifestName] = nil
        }
    }

    /// An even picture, which this model gives the label and the unknown-ness.
    ///
    /// - Parameters:
    ///   - label: 0 to 3.
    ///   - unknownness: 0 to 2.55.
    static func picture(label: Int, unknownness: Double) -> [UInt8] {
        let pixel = [label * 64 + 20, Int((unknownness * 100).rounded()), 77]
        return TestPNG(
            width: 32, height: 32, colorType: .rgb, samples: (0..<32 * 32).flatMap { _ in pixel }
        ).bytes
    }
}
