import CHTTP
import FoveaSystem
import Glibc
import SystemPackage

/// A file on the web that is known by size and checksum.
package struct Download: Sendable {
    /// HTTPS.
    package let address: String
    package let bytes: Int
    /// MD5 in hexadecimal digits: what the publishers of CIFAR give. It guards against damage; HTTPS says who sent it.
    package let md5: String
    /// For tests: plain HTTP to 127.0.0.1 is allowed.
    package var allowsLoopback = false

    package init(address: String, bytes: Int, md5: String) {
        (self.address, self.bytes, self.md5) = (address, bytes, md5)
    }

    /// The official binary archive of CIFAR-100.
    package static let cifar100 = Download(
        address: "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz", bytes: 168_513_733,
        md5: "03b5dce01913d631647c71ecec9e9cb8")

    /// Fetches the file to `path`. What has come so far stands in `<path>.part`, and the next call goes on from there.
    /// A file that is at `path` already and has the right checksum is left as it is.
    ///
    /// - Parameters:
    ///   - patience: seconds with hardly a byte after which the server is given up.
    ///   - progress: bytes so far and altogether; false stops. Called on this thread.
    /// - Throws: `.network`, with what to do; `.corrupt` where the file is not the one known; `.system`.
    package func fetch(
        to path: FilePath, patience: Int = 30,
        progress: @escaping (_ done: Int, _ total: Int) -> Bool = { _, _ in true }
    ) throws(DataError) {
        if isThere(path) { return }
        let part = FilePath(bytes: path.bytes + Array(".part".utf8))
        let folder = path.removingLastComponent()
        let descriptor = try system { () throws(SystemError) in
            if !folder.isEmpty { try Files.makeDirectories(folder) }
            return try Files.open(part, O_RDWR | O_CREAT)
        }
        defer { try? descriptor.close() }
        var there = try system { () throws(SystemError) in try Files.status(of: descriptor).size }
        if there > bytes {
            try? descriptor.resize(to: 0)
            there = 0
        }
        if there < bytes { try transfer(to: descriptor, from: there, part, patience, progress) }
        try system { () throws(SystemError) in try Files.sync(descriptor, subject: part.escaped) }
        try check(part)
        try system { () throws(SystemError) in try Files.rename(part, to: path) }
    }

    private func isThere(_ path: FilePath) -> Bool {
        guard let status = try? Files.status(path, followingLinks: true), status.size == bytes else { return false }
        return (try? checksum(path)) == md5
    }

    private func checksum(_ path: FilePath) throws(SystemError) -> String {
        let descriptor = try Files.open(path)
        defer { try? descriptor.close() }
        let digest = Digest(.md5)
        var offset = 0
        while true {
            let piece = try Files.read(descriptor, count: 1 << 20, at: offset, subject: path.escaped)
            if piece.isEmpty { return hexadecimal(digest.finish()) }
            digest.update(piece)
            offset += piece.count
        }
    }

    /// A wrong file is removed: resuming would never make it right.
    private func check(_ part: FilePath) throws(DataError) {
        let size = try system { () throws(SystemError) in try Files.status(part).size }
        let sum = try system { () throws(SystemError) in try checksum(part) }
        guard size == bytes, sum == md5 else {
            try? Files.unlink(part)
            throw DataError(
                .corrupt,
                "\(address): what came has \(size) bytes and MD5 \(sum), \(bytes) and \(md5) were expected: "
                    + "it was removed, try again, or fetch the file by other means and import it")
        }
    }

    private func transfer(
        to descriptor: FileDescriptor, from offset: Int, _ part: FilePath, _ patience: Int,
        _ progress: @escaping (Int, Int) -> Bool
    ) throws(DataError) {
        var result = chttp_download_result()
        let box = ProgressBox(progress, total: bytes)
        let status = chttp_download(
            address, descriptor.rawValue, Int64(offset), Int64(bytes), Int32(patience), allowsLoopback ? 1 : 0,
            { context, done, _ in
                Unmanaged<ProgressBox>.fromOpaque(context!).takeUnretainedValue().tell(Int(done)) ? 0 : 1
            }, Unmanaged.passUnretained(box).toOpaque(), &result)
        withExtendedLifetime(box) {}
        let words = withUnsafeBytes(of: result.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        switch status {
        case CHTTP_DOWNLOAD_OK:
            return
        case CHTTP_DOWNLOAD_REFUSED:
            throw DataError(
                .network,
                "\(address): the server does not give the file (\(words)): fetch it by other means and import it")
        case CHTTP_DOWNLOAD_TOO_LARGE:
            try? Files.unlink(part)
            throw DataError(.corrupt, "\(address): more than the \(bytes) bytes expected: this is another file")
        case CHTTP_DOWNLOAD_WRITE:
            throw DataError(.system, "\(part.escaped) cannot be written: \(words)")
        case CHTTP_DOWNLOAD_STOPPED:
            throw DataError(
                .network, "stopped after \(result.size) of \(bytes) bytes: the same command goes on from there")
        default:
            throw DataError(
                .network,
                "\(address) cannot be reached (\(words)): check the network and give the same command again, it goes on "
                    + "after \(result.size) of \(bytes) bytes; or fetch the file elsewhere and import it")
        }
    }
}

/// Carries the closure through C.
private final class ProgressBox {
    private let progress: (Int, Int) -> Bool
    private let total: Int

    init(_ progress: @escaping (Int, Int) -> Bool, total: Int) {
        self.progress = progress
        self.total = total
    }

    func tell(_ done: Int) -> Bool { progress(done, total) }
}
