import CLinux
import FoveaPipeline
import FoveaSystem
import Glibc
import SystemPackage

// How a worker gives up its rights, in this order (each step binds for ever):
//
//   enter      close foreign descriptors · die with the parent · no new privileges
//              Landlock 1: read libraries, plugins and the model, nothing else
//   (load the chain, warm up, golden check)
//   seal       one thread only · Landlock 2: nothing at all · resource limits · seccomp
//   (hello; only now images are read)
//
// A kernel that lacks a mechanism is no reason to stop: the worker says in its hello what holds it and what does not.

/// The state of the sandbox, for the hello.
struct Sandbox {
    /// What holds, such as `landlock 7`.
    private(set) var holds: [String] = []
    /// What does not, and why.
    private(set) var gaps: [String] = []

    var text: String { holds.isEmpty ? "none" : holds.joined(separator: ", ") }

    /// Descriptors above standard error, and death with the parent: right with and without a sandbox.
    static func inheritNothing() {
        _ = cl_close_from(3)
        _ = cl_die_with_parent(0)
    }

    /// Before anything is loaded.
    mutating func enter(readable: [FilePath]) throws(WorkerFault) {
        guard cl_no_new_privileges() == 0 else {
            throw WorkerFault(code: "sandbox", text: "PR_SET_NO_NEW_PRIVS: \(Errno(rawValue: Glibc.errno))")
        }
        try landlock(readable + Self.libraries())
    }

    /// After all is loaded, before any image is read.
    mutating func seal(memory: Int) throws(WorkerFault) {
        // Landlock binds the calling thread: another one could still open files.
        let threads = cl_thread_count()
        guard threads == 1 else {
            throw WorkerFault(
                code: "sandbox",
                text: "\(threads) threads run where there must be one: a plugin, or a library it uses, starts threads")
        }
        let size = cl_address_space()
        let landlockHeld = !holds.isEmpty
        if landlockHeld { try landlock([]) }
        if size > 0, cl_limits(size + UInt64(memory), UInt64(2 * WorkerProtocol.mostImages + 16)) == 0 {
            holds.append("rlimits")
        } else {
            gaps.append("rlimits: \(Errno(rawValue: Glibc.errno))")
        }
        if cl_seccomp() == 0 {
            holds.insert("seccomp", at: landlockHeld ? 1 : 0)
        } else {
            gaps.append("seccomp: \(Errno(rawValue: Glibc.errno))")
        }
    }

    private mutating func landlock(_ readable: [FilePath]) throws(WorkerFault) {
        let abi = cl_landlock_abi()
        guard abi >= 1 else {
            gaps.append("landlock: this kernel does not offer it")
            return
        }
        let texts = readable.map { strdup($0.string) }
        defer { texts.forEach { free($0) } }
        let pointers = texts.map { UnsafePointer($0) }
        guard cl_landlock_only(pointers, pointers.count) == 0 else {
            throw WorkerFault(code: "sandbox", text: "landlock: \(Errno(rawValue: Glibc.errno))")
        }
        if holds.isEmpty { holds.append("landlock \(abi)") }
        if abi < 4 { gaps.append("landlock \(abi) does not cover TCP") }
    }

    /// What loading a library reads: the system's folders and those that this program's own libraries came from.
    private static func libraries() -> [FilePath] {
        var folders: Set<FilePath> = []
        // /proc/self/maps: "address perms offset dev inode   path"
        if let descriptor = try? Files.open("/proc/self/maps") {
            defer { try? descriptor.close() }
            var text: [UInt8] = []
            while text.count < 4 << 20, let piece = try? Files.read(descriptor, count: 65_536, at: text.count),
                !piece.isEmpty
            { text += piece }
            for line in text.split(separator: UInt8(ascii: "\n")) {
                guard let slash = line.firstIndex(of: UInt8(ascii: "/")) else { continue }
                let folder = FilePath(bytes: line[slash...]).removingLastComponent()
                if folder != "/" && folder != "/tmp" { folders.insert(folder) }
            }
        }
        return Array(folders) + [
            "/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/ld.so.conf",
            "/etc/alternatives", "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu",
            "/sys/devices/system/node", "/usr/share/zoneinfo", "/etc/localtime", "/dev/null", "/dev/urandom",
        ]
    }
}
