import FoveaData
import FoveaHistory
import FoveaModels
import FoveaSystem
import SystemPackage

/// One image that somebody has put right, by its content.
package struct Correction: Codable, Sendable, Equatable {
    /// What became of the image when it came through the inbox.
    package struct Earlier: Codable, Sendable, Equatable {
        package let id: String
        /// Below the inbox.
        package let file: String
        package let label: String
        package let confidence: Double
        package let model: String
    }

    /// Of the file that came through the inbox, where one of them did.
    package let sha256: String
    /// `ImageDigests` of its pixels at the model's size: the same picture saved anew has the same.
    @Hexadecimal package private(set) var digest: UInt64
    package let label: String
    /// Printable, below the folder of corrections; several where the same image lies there more than once.
    package let paths: [String]
    package let earlier: Earlier?

    /// What a retraining does with it.
    package enum Use: String, Codable, Sendable { case learnt, judges, leftOut = "left-out" }
}

/// The corrections that can be learnt from, decoded, and what was wrong with the others.
package struct CorrectionSet: Sendable {
    package private(set) var corrections: [Correction] = []
    /// RGB8 at the model's size, height × width × 3 bytes for each of `corrections`.
    package private(set) var pixels: [UInt8] = []
    /// Labels that were not known, ordered.
    package private(set) var newLabels: [String] = []
    package private(set) var problems: [CorrectionProblem]

    /// Reads files in a sandbox: for each the pixels, or why there are none.
    package typealias Decoder = ([FilePath]) throws -> [Result<[UInt8], CorrectionFault>]

    /// What was made of a folder before.
    package init(restoring corrections: [Correction], pixels: [UInt8], newLabels: [String]) {
        (self.corrections, self.pixels, self.newLabels, problems) = (corrections, pixels, newLabels, [])
    }

    /// - Parameters:
    ///   - folder: what is there.
    ///   - known: labels of the model and of its data sets.
    ///   - fewest: images that a label which is not known must have.
    ///   - history: nil where there is none.
    ///   - decode: takes paths below the folder of corrections.
    package init(
        _ folder: CorrectionFolder, known: Set<String>, fewest: Int, history: HistoryReader?, decode: Decoder
    ) throws {
        problems = folder.problems
        let candidates = Dictionary(grouping: folder.files, by: \.sha256).sorted { $0.key < $1.key }.map(\.value)
        var decoded: [(files: [CorrectionFile], pixels: [UInt8])] = []
        for (files, outcome) in zip(candidates, try decode(candidates.map { $0[0].path })) {
            switch outcome {
            case .success(let pixels): decoded.append((files, pixels))
            case .failure(let fault):
                for file in files {
                    problems.append(CorrectionProblem(path: file.path.escaped, reason: fault.reason))
                }
            }
        }
        let images = merged(decoded)

        for (label, members) in Dictionary(grouping: images, by: \.label).sorted(by: { $0.key < $1.key })
        where !known.contains(label) {
            if let problem = Labels.problem(label, isNew: true) {
                problems.append(
                    CorrectionProblem(
                        path: FilePath(OutboxFolder.of(label: label)).escaped,
                        reason:
                            "stands for the label '\(label)', which no model or data set here has and which \(problem)")
                )
            } else if members.count >= fewest {
                newLabels.append(label)
            } else {
                problems.append(
                    CorrectionProblem(
                        path: FilePath(OutboxFolder.of(label: label)).escaped,
                        reason: "a new label with \(members.count) \(members.count == 1 ? "image" : "images"), and "
                            + "retrain.fewest is \(fewest): add more, or move them to a label that is known"))
            }
        }
        let usable = known.union(newLabels)
        for image in images where usable.contains(image.label) {
            // Of one picture in several files any may be the one that came through the inbox.
            var earlier: HistoryEntry?
            for file in image.files where earlier == nil { earlier = try history?.result(sha256: file.sha256) }
            corrections.append(
                Correction(
                    sha256: earlier?.sha256 ?? image.files[0].sha256, digest: ImageDigests.digest(image.pixels[...]),
                    label: image.label, paths: image.files.map(\.path.escaped),
                    earlier: earlier.map(Correction.Earlier.init)))
            pixels += image.pixels
        }
    }

    /// Files that are one picture, whatever their bytes; and of one picture one label.
    private mutating func merged(
        _ images: [(files: [CorrectionFile], pixels: [UInt8])]
    ) -> [(files: [CorrectionFile], label: String, pixels: [UInt8])] {
        var places: [[UInt8]: [Int]] = [:]
        for (place, image) in images.enumerated() { places[image.pixels, default: []].append(place) }
        var result: [(files: [CorrectionFile], label: String, pixels: [UInt8])] = []
        for (place, image) in images.enumerated() {
            guard let same = places[image.pixels], same[0] == place else { continue }
            let files = same.flatMap { images[$0].files }
            if Set(files.map(\.label)).count == 1 {
                result.append((files, files[0].label, image.pixels))
            } else {
                refuse(files)
            }
        }
        return result
    }

    private mutating func refuse(_ files: [CorrectionFile]) {
        let places = files.map(\.path.escaped).joined(separator: ", ")
        problems.append(
            CorrectionProblem(
                path: files[0].path.escaped,
                reason:
                    "the same image is corrected to \(Set(files.map(\.label)).count) labels (\(places)): leave one of "
                    + "them"))
    }
}

/// Why an image cannot be learnt from.
package struct CorrectionFault: Error, Sendable, Equatable {
    package let reason: String
    package init(_ reason: String) { self.reason = reason }
}

extension Correction.Earlier {
    init(_ entry: HistoryEntry) {
        self.init(
            id: entry.id, file: entry.file, label: entry.label ?? "", confidence: entry.confidence ?? 0,
            model: entry.model ?? "")
    }
}
