import Glibc
import SystemPackage

/// Resident bytes of a process (proc(5), statm); 0 when it has ended.
package func residentMemory(of pid: pid_t) -> Int {
    guard let descriptor = try? Files.open(FilePath("/proc/\(pid)/statm")) else { return 0 }
    defer { try? descriptor.close() }
    let text = String(decoding: (try? Files.read(descriptor, count: 128)) ?? [], as: UTF8.self)
    let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    return pages * sysconf(Int32(_SC_PAGESIZE))
}
