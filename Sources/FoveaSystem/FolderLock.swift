import CLinux
import Glibc
import SystemPackage

/// Exclusive locks on folders: on a state folder of the daemon that runs there, or of whoever changes what its next start
/// finds; on a folder of models of whoever lets one serve or removes one.
package enum FolderLock {
    /// By flock(2) on the folder itself: gone with the process, and no file that could be forgotten.
    ///
    /// - Returns: released when it is closed; nil where somebody else has it.
    package static func take(_ folder: FilePath) throws(SystemError) -> FileDescriptor? {
        let descriptor = try Files.open(folder, O_RDONLY | O_DIRECTORY)
        do throws(SystemError) {
            try retrying("flock", folder.escaped) { cl_flock_exclusive(descriptor.rawValue) }
            return descriptor
        } catch {
            try? descriptor.close()
            if error.errno == .wouldBlock { return nil }
            throw error
        }
    }
}
