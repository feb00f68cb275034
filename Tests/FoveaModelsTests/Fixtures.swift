import FoveaModels
import FoveaSystem
import Glibc
import SystemPackage

/// A folder that is removed with its owner.
final class Scratch {
    let path: FilePath

    init() throws {
        path = FilePath("/tmp/fovea-models-\(getpid())-\(String(UInt64.random(in: 0 ... .max), radix: 36))")
        try Files.makeDirectory(path)
    }

    deinit { try? Files.removeTree(path) }

    func write(_ name: String, _ bytes: some Sequence<UInt8>) throws -> FilePath {
        let file = path.appending(name)
        try Files.replace(file, with: bytes)
        return file
    }
}
