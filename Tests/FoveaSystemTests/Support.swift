import FoveaSystem
import Glibc
import SystemPackage

/// A folder for one test, removed with all in it when the object goes.
final class Folder {
    let path: FilePath

    init() throws {
        var template = Array("/tmp/fovea-system-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError("mkdtemp", errno: Errno(rawValue: errno)) }
        path = FilePath(platformString: template)
    }

    deinit { try? Files.removeTree(path) }
}
