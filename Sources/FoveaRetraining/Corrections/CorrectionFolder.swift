import FoveaModels
import FoveaSystem
import Glibc
import SystemPackage

/// A file below `corrections/<label>/`.
package struct CorrectionFile: Sendable, Equatable {
    /// What its folder stands for: see `OutboxFolder`.
    package let label: String
    /// Below the folder of corrections, so that it begins with the label's folder.
    package let path: FilePath
    /// Of the content, in hexadecimal digits.
    package let sha256: String
}

/// What is not learnt from, and why.
package struct CorrectionProblem: Codable, Sendable, Equatable {
    /// Printable, below the folder of corrections.
    package let path: String
    /// A clause that follows the path and a colon.
    package let reason: String

    package init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }
}

/// Finds what people put into `corrections/<label>/`. The folder is theirs: nothing in it is ever changed. No image is opened
/// here but to hash its bytes.
package struct CorrectionFolder: Sendable {
    /// Ordered by label and path.
    package private(set) var files: [CorrectionFile] = []
    package private(set) var problems: [CorrectionProblem] = []

    private let root: FilePath
    private var hashes: HashCache

    /// Looks through the folder; one that is not there has no files.
    ///
    /// - Parameter hashes: of an earlier look. A file whose stat has not changed since is not read again.
    package init(_ root: FilePath, hashes: HashCache = HashCache()) throws(SystemError) {
        self.root = root
        self.hashes = hashes.emptied
        guard try Files.statusIfPresent(root, followingLinks: true)?.isDirectory == true else { return }
        for name in try names(in: FilePath()) {
            let path = FilePath(root: nil, components: name)
            do throws(SystemError) {
                guard try Files.status(root.appending(name), followingLinks: true).isDirectory else {
                    if !Self.isDocument(name) { refuse(path, "is not inside the folder of a label") }
                    continue
                }
                guard let text = String(validating: name.bytes, as: UTF8.self) else {
                    refuse(path, "a label must be UTF-8")
                    continue
                }
                guard let label = OutboxFolder.label(of: text) else {
                    let hint =
                        Labels.problem(text) == nil
                        ? "; where the model has a label '\(text)', its folder is \(OutboxFolder.of(label: text))" : ""
                    refuse(
                        path,
                        "is reserved for the outbox's own use and no label: put its images into the folders of their "
                            + "labels\(hint)")
                    continue
                }
                if let problem = Labels.problem(label) {
                    refuse(path, "cannot be a label: it \(problem)")
                    continue
                }
                try visit(path, label, earlier: hashes)
            } catch {
                refuse(path, "\(error)")
            }
        }
    }

    /// What is known of the files now, for the next look.
    package var cache: HashCache { hashes }

    /// One number for all contents with their labels, whatever the files are called.
    package var fingerprint: String {
        let lines = Set(files.map { "\($0.sha256) \($0.label)\n" }).sorted()
        return hexadecimal(Digest.sha256(Array(lines.joined().utf8)))
    }

    private mutating func visit(_ folder: FilePath, _ label: String, earlier: HashCache) throws(SystemError) {
        for name in try names(in: folder) {
            let path = folder.appending(name)
            do throws(SystemError) {
                let status = try Files.status(root.pushing(path))
                if status.isDirectory {
                    try visit(path, label, earlier: earlier)
                } else if Self.isDocument(name) {
                    continue
                } else if status.isRegular {
                    var sha256 = earlier[path, status]
                    if sha256 == nil { sha256 = hexadecimal(try Digest.sha256(fileAt: root.pushing(path))) }
                    guard let sha256 else { continue }
                    hashes[path, status] = sha256
                    files.append(CorrectionFile(label: label, path: path, sha256: sha256))
                } else {
                    refuse(path, "is \(status.isLink ? "a link" : "no file"); put the image itself there")
                }
            } catch {
                // Taken away meanwhile, or not for us to read: the others count all the same.
                refuse(path, "\(error)")
            }
        }
    }

    private mutating func refuse(_ path: FilePath, _ reason: String) {
        problems.append(CorrectionProblem(path: path.escaped, reason: reason))
    }

    private func names(in folder: FilePath) throws(SystemError) -> [FilePath.Component] {
        try Files.list(root.pushing(folder)).filter { !Junk.contains($0) }
            .sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
    }

    /// The result that lies beside an image in the outbox, and is dragged along with it.
    private static func isDocument(_ name: FilePath.Component) -> Bool { name.extension == "json" }
}
