import FoundationEssentials
import FoveaSystem
import Glibc
import SystemPackage

/// What a figure was measured on.
struct Machine: Codable, Sendable {
    let processor: String
    /// That this process may use.
    let cores: Int
    let kernel: String
    let memory: Int
    let build: String
    let date: String
    /// Of the last minute.
    let load: Double
    /// Share of all cores that others used in the moment before the start.
    let busy: Double

    /// Above this share figures are not worth comparing.
    var isBusy: Bool { busy > 0.1 }

    /// The machine now; takes half a second.
    static func look() -> Machine {
        func ticks() -> (idle: Double, all: Double) {
            let fields = kernelText("/proc/stat").split(separator: "\n")[0].split(separator: " ").dropFirst()
                .compactMap { Double($0) }
            return (fields.count > 4 ? fields[3] + fields[4] : 0, fields.prefix(8).reduce(0, +))
        }
        let before = ticks()
        usleep(500_000)
        let after = ticks()
        let model = kernelText("/proc/cpuinfo").split(separator: "\n")
            .first { $0.hasPrefix("model name") || $0.hasPrefix("CPU part") }?
            .split(separator: ":").last.map { $0.trimmingPrefix(" ") }
        var name = utsname()
        uname(&name)
        let release = withUnsafeBytes(of: name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        #if DEBUG
            let build = "debug"
        #else
            let build = "release"
        #endif
        return Machine(
            processor: model.map(String.init) ?? "unknown", cores: coreCount, kernel: release,
            memory: sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE)), build: build,
            date: Date.now.formatted(.iso8601),
            load: Double(kernelText("/proc/loadavg").split(separator: " ").first ?? "") ?? 0,
            busy: 1 - (after.idle - before.idle) / max(1, after.all - before.all))
    }
}

/// A file of /proc or /sys, which have no size; empty where there is none.
func kernelText(_ path: String) -> String {
    guard let file = fopen(path, "r") else { return "" }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    let count = fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes.prefix(count), as: UTF8.self)
}

/// Whether a process is there and is not merely waiting to be reaped.
func isAlive(_ pid: pid_t) -> Bool {
    let words = kernelText("/proc/\(pid)/stat").split(separator: ")").last?.split(separator: " ") ?? []
    return !words.isEmpty && words[0] != "Z" && words[0] != "X"
}

/// Cores that this process may use.
let coreCount = processorCount()

/// Seconds since some moment, never going back.
func seconds() -> Double { Double(monotonicNanoseconds()) * 1e-9 }
