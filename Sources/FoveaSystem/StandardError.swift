import Glibc

/// Writes a line to standard error with one write(2), so that lines of several threads do not mix.
package func printError(_ line: String) {
    let bytes = Array(line.utf8) + [0x0A]
    _ = bytes.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
}
