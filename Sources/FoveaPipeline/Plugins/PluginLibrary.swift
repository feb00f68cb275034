import CFoveaPlugin
import FoveaSystem
import Glibc
import SystemPackage

/// A loaded plugin: its file and the table it handed out.
///
/// Libraries are never closed: a Swift runtime inside one would not survive it, and their process is short-lived.
///
/// `@unchecked Sendable`: the table is a constant copy, the functions in it may be called on any thread.
package struct PluginLibrary: @unchecked Sendable {
    /// Absolute, without links.
    package let path: FilePath
    package let kind: PluginKind
    /// As in the chain and in the file name.
    package let name: String
    package let version: String
    package let description: String
    /// A copy of the table; members that the plugin's own table does not have are NULL.
    let table: fovea_plugin

    /// Loads and checks a library.
    ///
    /// - Throws: an error that names the file and the fault.
    package static func load(_ file: FilePath) throws(PluginError) -> PluginLibrary {
        try ELFCheck.check(file)
        let path: FilePath
        do throws(SystemError) { path = try Files.resolve(file) } catch {
            throw PluginError(.missing, file: file, "\(error.errno)")
        }
        guard let handle = path.withPlatformString({ dlopen($0, RTLD_NOW | RTLD_LOCAL) }) else {
            let reason = dlerror().map { String(cString: $0) } ?? "no reason given"
            throw PluginError(.notALibrary, file: path, "cannot be loaded: \(printable(reason, atMost: 400))")
        }
        guard let symbol = dlsym(handle, FOVEA_PLUGIN_ENTRY) else {
            throw PluginError(
                .notAPlugin, file: path, "is a library but not a plugin: it exports no \(FOVEA_PLUGIN_ENTRY)")
        }
        let entry = unsafeBitCast(
            symbol, to: (@convention(c) (UnsafePointer<fovea_host>?) -> UnsafePointer<fovea_plugin>?).self)
        guard let pointer = entry(PluginHost.table) else {
            throw PluginError(
                .notAPlugin, file: path,
                "does not work with this program (plugin ABI \(FOVEA_ABI_VERSION)): its entry returned NULL")
        }
        return try PluginLibrary(path: path, pointer: pointer)
    }

    private init(path: FilePath, pointer: UnsafePointer<fovea_plugin>) throws(PluginError) {
        let raw = UnsafeRawPointer(pointer)
        // Only these two members are there in every version; the rest is looked at when they are right.
        let version = raw.load(as: UInt32.self)
        let size = Int(raw.load(fromByteOffset: 4, as: UInt32.self))
        guard version <= FOVEA_ABI_VERSION else {
            throw PluginError(
                .tooNew, file: path,
                "is too new: made for plugin ABI \(version), this program knows \(FOVEA_ABI_VERSION); update Fovea")
        }
        guard version >= FOVEA_ABI_VERSION else {
            throw PluginError(
                .tooOld, file: path,
                "is too old: made for plugin ABI \(version), this program needs \(FOVEA_ABI_VERSION); build the plugin again"
            )
        }
        let needed = MemoryLayout<fovea_plugin>.offset(of: \.warm_up)!
        guard size >= needed else {
            throw PluginError(
                .malformed, file: path, "its table says it has \(size) bytes, ABI \(version) needs at least \(needed)")
        }
        // All optional members are pointers: of one that the size cuts in two nothing is taken.
        let whole = size / MemoryLayout<UnsafeRawPointer>.size * MemoryLayout<UnsafeRawPointer>.size
        var table = fovea_plugin()
        withUnsafeMutableBytes(of: &table) {
            $0.copyMemory(from: UnsafeRawBufferPointer(start: raw, count: min(whole, $0.count)))
        }
        for (name, isNull) in [
            ("create", table.create == nil), ("destroy", table.destroy == nil), ("process", table.process == nil),
            ("name", table.name == nil), ("version", table.version == nil), ("description", table.description == nil),
        ] where isNull {
            throw PluginError(.malformed, file: path, "'\(name)' in its table is NULL")
        }
        guard let kind = PluginKind(table.kind) else {
            throw PluginError(
                .malformed, file: path,
                "kind \(table.kind.rawValue) is none of filter (1), normalizer (2), classifier (3)")
        }
        self.path = path
        self.kind = kind
        self.table = table
        name = printable(String(cString: table.name), atMost: 100)
        self.version = printable(String(cString: table.version), atMost: 100)
        description = printable(String(cString: table.description), atMost: 400)
        guard Self.isName(name), !self.version.isEmpty else {
            throw PluginError(
                .malformed, file: path,
                "'\(name)' is not a plugin's name (lower-case letters, digits, hyphens), or it has no version")
        }
    }

    /// The optional members that the table has, by their names in C.
    package var optionalMembers: [String] {
        [
            ("warm_up", table.warm_up == nil), ("describe", table.describe == nil),
            ("unknownness", table.unknownness == nil),
        ].compactMap { $0.1 ? nil : $0.0 }
    }

    static func isName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 64
            && name.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D }
    }
}

/// What plugins are offered.
private enum PluginHost {
    /// `nonisolated(unsafe)`: written once, before anybody can see it; plugins keep the pointer for ever.
    nonisolated(unsafe) static let table: UnsafePointer<fovea_host> = {
        let host = UnsafeMutablePointer<fovea_host>.allocate(capacity: 1)
        host.initialize(
            to: fovea_host(
                abi_version: FOVEA_ABI_VERSION, struct_size: UInt32(MemoryLayout<fovea_host>.size),
                log: { level, text in
                    guard let text, level.rawValue >= FOVEA_LOG_INFO.rawValue else { return }
                    let line = "fovea: plugin: \(printable(String(cString: text), atMost: 1000))\n"
                    // Standard error is the daemon's log; a line that finds no room is lost.
                    _ = line.utf8.withContiguousStorageIfAvailable { write(2, $0.baseAddress, $0.count) }
                }))
        return UnsafePointer(host)
    }()
}
