import FoveaSystem
import Glibc
import SystemPackage

/// Looks at a file before dlopen(3) does: dlopen maps what the headers promise, and a file that is shorter than that
/// kills the process with SIGBUS; and its messages do not say what a person should do.
enum ELFCheck {
    /// Throws unless `path` is a whole 64-bit little-endian shared library for this machine.
    static func check(_ path: FilePath) throws(PluginError) {
        let header: [UInt8]
        let size: Int
        do throws(SystemError) {
            // Links are followed, as the dynamic loader does: libfovea-x.so → libfovea-x.so.1 is common.
            let descriptor = try Files.open(path, O_RDONLY | O_NONBLOCK)
            defer { try? descriptor.close() }
            let status = try Files.status(of: descriptor)
            guard status.isRegular else { throw SystemError("read", path.escaped, errno: .invalidArgument) }
            size = Int(status.size)
            header = try Files.read(descriptor, count: min(size, 1 << 16))
        } catch {
            switch error.errno {
            case .noSuchFileOrDirectory: throw PluginError(.missing, file: path, "there is no such file")
            case .invalidArgument: throw PluginError(.notALibrary, file: path, "is not a regular file")
            default: throw PluginError(.notALibrary, file: path, "cannot be read: \(error.errno)")
            }
        }
        guard header.starts(with: [0x7F, 0x45, 0x4C, 0x46]) else {
            throw PluginError(.notALibrary, file: path, "is not a shared library (no ELF header)")
        }
        let truncated = PluginError(.notALibrary, file: path, "is cut off: build or copy it again")
        guard header.count >= 64 else { throw truncated }
        func number(_ offset: Int, _ bytes: Int) -> Int {
            var value: UInt64 = 0
            for i in (0..<bytes).reversed() { value = value << 8 | UInt64(header[offset + i]) }
            return Int(clamping: value)
        }
        #if arch(x86_64)
            let machine = (number: 62, name: "x86-64")
        #elseif arch(arm64)
            let machine = (number: 183, name: "arm64")
        #endif
        guard header[4] == 2, header[5] == 1, number(18, 2) == machine.number else {
            throw PluginError(
                .notALibrary, file: path, "is for another kind of machine than this one (\(machine.name))")
        }
        guard number(16, 2) == 3 else {
            throw PluginError(.notALibrary, file: path, "is not a shared library: link it with -shared")
        }
        // Program headers: where the loader takes the pieces it maps from.
        let (start, entry, count) = (number(32, 8), number(54, 2), number(56, 2))
        guard entry == 56, count > 0, start <= header.count - count * entry else { throw truncated }
        for i in 0..<count {
            let (offset, length) = (number(start + i * entry + 8, 8), number(start + i * entry + 32, 8))
            guard offset <= size, length <= size - offset else { throw truncated }
        }
        // Section headers stand at the end: the loader does not need them, but a file without its end is cut off.
        let (sections, sectionSize, sectionCount) = (number(40, 8), number(58, 2), number(60, 2))
        guard sections == 0 || (sections <= size && sectionSize * sectionCount <= size - sections) else {
            throw truncated
        }
    }
}
