import FoveaSystem
import FoveaTestKit
import Glibc
import SystemPackage

/// Where `swift build` put the plugins and programs: the folder of the test binary, or one above it.
func productsFolder() -> FilePath {
    var folder = programDirectory()
    if let own = try? Files.resolve(FilePath(CommandLine.arguments[0])).removingLastComponent() { folder = own }
    for start in [folder, programDirectory()] {
        var at = start
        while !at.isEmpty, at != "/" {
            if (try? Files.statusIfPresent(at.appending("libfovea-sharpen.so"))) ?? nil != nil { return at }
            at = at.removingLastComponent()
        }
    }
    return folder
}

/// The folder that holds Package.swift, by the place of this file.
func packageFolder(_ file: String = #filePath) -> FilePath {
    FilePath(file).removingLastComponent().removingLastComponent().removingLastComponent()
}

/// Compiles C to a shared library `libfovea-NAME.so` in the folder.
@discardableResult
func compilePlugin(_ name: String, _ source: String, in folder: TemporaryFolder) throws -> FilePath {
    let input = try folder.write("\(name).c", Array(source.utf8))
    let output = folder.path.appending("libfovea-\(name).so")
    let child = try ChildProcess(
        executable: "/usr/bin/cc",
        arguments: [
            "-std=gnu11", "-O1", "-fPIC", "-shared", "-fvisibility=hidden", "-I",
            packageFolder().pushing("Sources/CFoveaPlugin/include").string, "-o", output.string, input.string, "-lm",
        ], environment: ["PATH=/usr/bin:/bin"])
    guard child.wait() == .exited(0) else { throw SystemError("cc", input.escaped, errno: .invalidArgument) }
    return output
}

/// A plugin in C with the given functions; the defaults make a filter that copies.
func filterSource(
    abi: String = "FOVEA_ABI_VERSION", size: String = "sizeof(fovea_plugin)", kind: String = "FOVEA_FILTER",
    name: String = "\"broken\"", create: String = "*i = (fovea_instance *)&kept; return FOVEA_OK;",
    process: String = "memcpy(out, in, (size_t)s.count * s.height * s.width * 3); return FOVEA_OK;",
    processMember: String = "process", entry: String = "return &plugin;"
) -> String {
    """
    #include "fovea_plugin.h"
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <unistd.h>
    static int kept;
    static fovea_status create(const fovea_create_args *a, fovea_instance **i, fovea_error *e) {
        if (strcmp(a->parameters, "{}") != 0) {
            snprintf(e->text, e->capacity, "takes no parameters");
            return FOVEA_ERROR_PARAMETERS;
        }
        \(create)
    }
    static void destroy(fovea_instance *i) { (void)i; (void)kept; }
    static fovea_status process(fovea_instance *i, fovea_shape s, const void *in, void *out, fovea_error *e) {
        (void)i; (void)e; \(process)
    }
    static const fovea_plugin plugin = {
        .abi_version = \(abi), .struct_size = \(size), .kind = \(kind), .name = \(name), .version = "1",
        .description = "test", .create = create, .destroy = destroy, .process = \(processMember)};
    FOVEA_EXPORT const fovea_plugin *fovea_plugin_entry(const fovea_host *host) { (void)host; (void)process; \(entry) }
    """
}
