import FoveaSystem
import Glibc
import SystemPackage

extension Configuration {
    /// Refuses what each value alone cannot show: folders inside one another, a socket path that the kernel cannot
    /// take, sizes that make no sense together.
    package func check(file: String = "configuration") throws(ConfigurationFileError) {
        func refuse(_ key: String, _ problem: String, _ hint: String) -> ConfigurationFileError {
            ConfigurationFileError(file: file, key: key, problem: problem, hint: hint)
        }
        let folders = [("inbox", inbox), ("outbox", outbox), ("corrections", corrections), ("state", state)]
            .map { (key: $0.0, path: Self.absolute($0.1)) }
        for (index, first) in folders.enumerated() {
            for second in folders[(index + 1)...] {
                if first.path == second.path {
                    throw refuse(
                        second.key, "is the same folder as \(first.key) (\(first.path.escaped))",
                        "Give each its own folder: images would be taken again and again.")
                }
                for (inner, outer) in [(first, second), (second, first)] where inner.path.starts(with: outer.path) {
                    throw refuse(
                        inner.key, "is inside \(outer.key) (\(outer.path.escaped))",
                        "Put \(inner.key) beside it, not into it.")
                }
            }
        }
        if Self.absolute(socket).bytes.count > UnixListener.longestPath, socket.bytes.count > UnixListener.longestPath {
            throw refuse(
                "socket", "is longer than \(UnixListener.longestPath) bytes, which the kernel does not take",
                "Choose a shorter path, such as /run/fovea/fovead.sock.")
        }
        if limits.file < 64 { throw refuse("limits.file", "is too small for any image", "The default is 32MiB.") }
        if limits.memory < 16 << 20 {
            throw refuse("limits.memory", "is too small to decode an image", "Give at least 16MiB.")
        }
        if model.contains("/") || model.hasPrefix(".") {
            throw refuse("model", "must be NAME or NAME@VERSION, not a path", "`foveactl model list` shows the names.")
        }
        if umask & 0o700 != 0 {
            throw refuse("umask", "takes rights from the daemon itself", "Use a value such as \"0027\" or \"0077\".")
        }
    }

    /// The path from the root, without `.` and `..`, with the links of the part that exists resolved.
    static func absolute(_ path: FilePath) -> FilePath {
        let full = Configuration.workingDirectory().pushing(path).lexicallyNormalized()
        var missing: [FilePath.Component] = []
        var existing = full
        while !existing.components.isEmpty {
            if let resolved = try? Files.resolve(existing) {
                return missing.reversed().reduce(resolved) { $0.appending($1) }
            }
            missing.append(existing.removeLastComponentReturning())
        }
        return full
    }
}

extension FilePath {
    fileprivate mutating func removeLastComponentReturning() -> FilePath.Component {
        let last = lastComponent!
        removeLastComponent()
        return last
    }
}
