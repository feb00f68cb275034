import FoundationEssentials
import FoveaModels
import FoveaSystem
import FoveaTestKit
import SystemPackage
import Testing

/// A filter in C that copies its images, and does something else where one of them is magenta.
enum TrapPlugin {
    /// Into `plugins/` of a folder.
    ///
    /// - Parameters:
    ///   - act: statements in C.
    ///   - condition: in C, of the image's bytes at `p`.
    static func compile(
        _ act: String, when condition: String = "p[0] == 255 && p[1] == 0 && p[2] == 255", in folder: TemporaryFolder
    ) throws {
        let source = """
            #include "fovea_plugin.h"
            #include <stdlib.h>
            #include <string.h>
            static int kept;
            static fovea_status create(const fovea_create_args *a, fovea_instance **i, fovea_error *e) {
                (void)a; (void)e; *i = (fovea_instance *)&kept; return FOVEA_OK;
            }
            static void destroy(fovea_instance *i) { (void)i; }
            static fovea_status process(fovea_instance *i, fovea_shape s, const void *in, void *out, fovea_error *e) {
                const unsigned char *p = in;
                size_t size = (size_t)s.height * s.width * 3;
                (void)i; (void)e;
                for (int n = 0; n < s.count; n++, p += size)
                    if (\(condition)) { \(act) }
                memcpy(out, in, (size_t)s.count * size);
                return FOVEA_OK;
            }
            static const fovea_plugin plugin = {
                .abi_version = FOVEA_ABI_VERSION, .struct_size = sizeof(fovea_plugin), .kind = FOVEA_FILTER,
                .name = "trap", .version = "1", .description = "test", .create = create, .destroy = destroy,
                .process = process};
            FOVEA_EXPORT const fovea_plugin *fovea_plugin_entry(const fovea_host *h) { (void)h; return &plugin; }
            """
        let input = try folder.write("plugins/trap.c", Array(source.utf8))
        let package = FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent()
        let child = try ChildProcess(
            executable: "/usr/bin/cc",
            arguments: [
                "-std=gnu11", "-O1", "-fPIC", "-shared", "-fvisibility=hidden", "-I",
                package.pushing("Sources/CFoveaPlugin/include").string, "-o",
                folder.path.pushing("plugins/libfovea-trap.so").string, input.string,
            ], environment: ["PATH=/usr/bin:/bin"])
        guard child.wait() == .exited(0) else { throw TestFailure(description: "the plugin does not compile") }
    }

    /// Lets `trapped@1` serve: see `make`.
    static func serve(_ daemon: RunningDaemon) throws {
        try make(daemon)
        let swap = try daemon.ctl("model", "swap", "trapped")
        #expect(swap.code == 0, "\(swap.error)")
    }

    /// `trapped@1` in the daemon's store: `tiny` with the trap before it.
    static func make(_ daemon: RunningDaemon) throws {
        try daemon.makeModel(
            "trapped",
            change: {
                var description = try JSONDecoder().decode(
                    [String: JSONValue].self, from: Data($0[ModelFolder.configurationName]!))
                guard case .array(let chain) = description["chain"] else { throw TestFailure(description: "no chain") }
                description["chain"] = .array([.object(["plugin": .string("trap")])] + chain)
                $0[ModelFolder.configurationName] = Array(JSONValue.object(description).text.utf8)
            })
    }

    /// An image that springs the trap, as PNG.
    static var bait: [UInt8] { bait(0) }

    /// Another one for each number: its first pixel is magenta.
    static func bait(_ number: Int) -> [UInt8] {
        let samples = [255, 0, 255] + [Int](repeating: number, count: (32 * 32 - 1) * 3)
        return TestPNG(width: 32, height: 32, colorType: .rgb, samples: samples).bytes
    }
}
