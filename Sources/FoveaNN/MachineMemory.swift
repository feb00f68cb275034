import Glibc

/// Bytes of memory that this machine has, or that the process's control group is granted (cgroups(7), memory.max, of the
/// second version), whichever is less.
package let machineMemory: Int = {
    let machine = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
    // "0::/user.slice/x.service": a limit holds for all below it.
    let group = text("/proc/self/cgroup").split(separator: "\n").first { $0.hasPrefix("0::/") }?.dropFirst(4) ?? ""
    var least = machine
    var names = group.split(separator: "/")
    while true {
        let path = (["/sys/fs/cgroup"] + names.map(String.init) + ["memory.max"]).joined(separator: "/")
        if let granted = Int(text(path).filter { $0 != "\n" }), granted > 0 { least = min(least, granted) }
        if names.isEmpty { return least }
        names.removeLast()
    }
}()

/// A small file of the kernel's; empty where there is none.
private func text(_ path: String) -> String {
    guard let file = fopen(path, "r") else { return "" }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes.prefix(count), as: UTF8.self)
}
