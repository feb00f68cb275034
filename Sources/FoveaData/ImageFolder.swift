import FoveaImage
import FoveaModels
import FoveaSystem
import SystemPackage

// Labelled folders become a data set. Labels are the folders' names, sorted by their bytes. A file that cannot be read as an
// image is listed with its reason and the rest goes on, for one bad file among ten thousand must not cost the afternoon.
// What is there twice is taken once, what looks the same stays on one side of the division, and what has two labels has none.

/// Reads labelled folders of PNG and JPEG; `FolderLayout` says how they may lie.
package enum ImageFolder {
    /// - Throws: `.foreign` where not one image is left, or the layout is another, `.invalid` for a folder whose name cannot
    ///   be a label.
    package static func read(
        _ path: FilePath, options: ImportOptions = ImportOptions()
    ) throws(DataError) -> ImportedPictures {
        guard options.testFraction >= 0, options.testFraction < 1 else {
            throw DataError(.invalid, "--test-fraction \(options.testFraction): 0 to below 1 are possible")
        }
        var reader = Reader(options: options)
        switch try FolderLayout(of: path) {
        case .classes: try reader.find(path, part: nil)
        case .divided(let parts, let strays):
            for stray in strays {
                reader.refused.append(RefusedFile(path: stray.escaped, reason: "not inside a class's folder"))
            }
            for (part, folder) in parts.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
                try reader.find(folder, part: part)
            }
        }
        return try reader.finish(path)
    }

    /// The name that a path suggests for its data set.
    static func suggestedName(_ path: FilePath) -> String {
        let stem = path.lastComponent.map { archiveStem($0.string) } ?? ""
        let name = stem.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }
        let trimmed = String(name.drop { $0 == "-" }.prefix(60))
        return trimmed.isEmpty ? "images" : trimmed
    }

    private static func archiveStem(_ name: String) -> String {
        for ending in [".tar.gz", ".tar.xz", ".tar.bz2", ".tar.zst", ".tgz", ".tar", ".zip"]
        where name.lowercased().hasSuffix(ending) { return String(name.dropLast(ending.count)) }
        return name
    }
}

/// What a folder holds, step by step.
private struct Reader {
    /// A file that may be a picture.
    struct Candidate {
        let file: ClassFolders.File
        let label: String
        /// nil where the folder is not divided.
        let part: Part?
    }

    /// A picture that counts so far.
    struct Entry {
        let candidate: Candidate
        let found: PictureScan.Found
        var group: UInt64 = 0
    }

    let options: ImportOptions
    var refused: [RefusedFile] = []
    var notes: [String] = []
    var candidates: [Candidate] = []
    /// Printable, by label.
    var folders: [String: String] = [:]

    init(options: ImportOptions) { self.options = options }

    mutating func find(_ path: FilePath, part: Part?) throws(DataError) {
        let found = try ClassFolders(path)
        refused += found.leftOut
        notes += found.notes
        for one in found.classes {
            if folders[one.label] == nil { folders[one.label] = one.folders[0] }
            candidates += one.files.map { Candidate(file: $0, label: one.label, part: part) }
        }
    }

    mutating func finish(_ path: FilePath) throws(DataError) -> ImportedPictures {
        var entries: [Entry] = []
        let scan = PictureScan(candidates.map(\.file), limits: options.limits, progress: options.progress)
        for (candidate, outcome) in zip(candidates, scan.outcomes) {
            switch outcome {
            case .success(let found): entries.append(Entry(candidate: candidate, found: found))
            case .failure(let refusal): refused.append(refusal)
            }
        }
        if options.keepsAll {
            for index in entries.indices { entries[index].group = UInt64(index) }
        } else {
            leaveOutTwiceLabelled(&entries)
            keepOneOfEach(&entries)
            group(&entries)
            leaveOutAcrossParts(&entries)
        }
        let labels = folders.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            .filter { label in entries.contains { $0.candidate.label == label } }
        for (label, folder) in folders.sorted(by: { $0.value < $1.value }) where !labels.contains(label) {
            refused.append(RefusedFile(path: folder, reason: "a class without a single image"))
        }
        guard !labels.isEmpty else {
            let first = refused.first.map { ", such as \($0.path): \($0.reason)" } ?? ""
            throw DataError(
                .foreign, "\(path.escaped): not one image in a folder per class (\(refused.count) refused\(first))")
        }
        try LabelRules.check(labels, areNew: true)
        let info = DatasetInfo(
            name: options.name ?? ImageFolder.suggestedName(path), labels: labels, source: path.escaped)
        let set = PictureSet(info: info, splits: divided(entries, labels), limits: options.limits)
        if !options.keepsAll { notes += Self.notesOnCounts(set) }
        return ImportedPictures(set: set, refused: refused, notes: notes)
    }

    /// Of one picture under two labels nobody knows which one is right.
    private mutating func leaveOutTwiceLabelled(_ entries: inout [Entry]) {
        var labels: [String: Set<String>] = [:]
        for entry in entries { labels[entry.found.sha256, default: []].insert(entry.candidate.label) }
        entries.removeAll { entry in
            guard let several = labels[entry.found.sha256], several.count > 1 else { return false }
            let names = several.sorted().map { "'\($0)'" }.joined(separator: " and ")
            refused.append(
                RefusedFile(
                    path: entry.candidate.file.path.escaped,
                    reason:
                        "the same picture is in the classes \(names), and is left out of all: keep it in one of them"))
            return true
        }
    }

    /// A copy counts once: where the folder is divided, in the part that judges.
    private mutating func keepOneOfEach(_ entries: inout [Entry]) {
        let order: [Part] = [.test, .validation, .train]
        func rank(_ entry: Entry) -> Int { entry.candidate.part.flatMap(order.firstIndex(of:)) ?? order.count }
        var kept: [String: Int] = [:]
        for (index, entry) in entries.enumerated() {
            if let first = kept[entry.found.sha256], rank(entries[first]) <= rank(entry) { continue }
            kept[entry.found.sha256] = index
        }
        let all = entries
        entries = all.indices.filter { kept[all[$0].found.sha256] == $0 }.map { all[$0] }
        let copies = all.count - entries.count
        guard copies > 0 else { return }
        let copy = all.indices.first { kept[all[$0].found.sha256] != $0 }!
        notes.append(
            "\(copies) \(copies == 1 ? "file is an exact copy of another one and is" : "files are exact copies of others and are") "
                + "taken once, such as \(all[copy].candidate.file.name) of "
                + all[kept[all[copy].found.sha256]!].candidate.file.name)
    }

    private mutating func group(_ entries: inout [Entry]) {
        let keys = entries.map { UInt64($0.found.sha256.prefix(16), radix: 16) ?? 0 }
        let groups = NearDuplicates.groups(entries.map(\.found.thumbprint), keys: keys)
        for index in entries.indices { entries[index].group = groups[index] }
        let several = Dictionary(grouping: entries.indices, by: { entries[$0].group }).values.filter { $0.count > 1 }
            .sorted { $0[0] < $1[0] }
        guard let first = several.first else { return }
        notes.append(
            "\(several.reduce(0) { $0 + $1.count }) pictures look like others, and stay on one side of every division, such as "
                + "\(entries[first[0]].candidate.file.name) and \(entries[first[1]].candidate.file.name)")
        let mixed = several.filter { Set($0.map { entries[$0].candidate.label }).count > 1 }
        if let first = mixed.first,
            let other = first.first(where: { entries[$0].candidate.label != entries[first[0]].candidate.label })
        {
            notes.append(
                "\(mixed.count) \(mixed.count == 1 ? "picture looks" : "pictures look") the same under different labels, such as "
                    + "\(entries[first[0]].candidate.file.name) and \(entries[other].candidate.file.name): look which one is right"
            )
        }
    }

    /// What is judged by must not be learnt in another file's clothes.
    private mutating func leaveOutAcrossParts(_ entries: inout [Entry]) {
        func groups(_ part: Part) -> Set<UInt64> {
            Set(entries.filter { $0.candidate.part == part }.map(\.group))
        }
        let test = groups(.test)
        let judging = test.union(groups(.validation))
        let before = entries.count
        entries.removeAll { entry in
            switch entry.candidate.part {
            case .train?: judging.contains(entry.group)
            case .validation?: test.contains(entry.group)
            case .test?, nil: false
            }
        }
        let removed = before - entries.count
        guard removed > 0 else { return }
        notes.append(
            "\(removed) \(removed == 1 ? "picture looks" : "pictures look") like one that the model is judged by (test before "
                + "validation before train), and \(removed == 1 ? "is" : "are") left out of the other part")
    }

    private func divided(_ entries: [Entry], _ labels: [String]) -> [String: [Picture]] {
        let places = Dictionary(uniqueKeysWithValues: labels.enumerated().map { ($1, $0) })
        let isDivided = entries.contains { $0.candidate.part != nil }
        var pictures: [(part: Part, picture: Picture)] = entries.map { entry in
            (
                entry.candidate.part ?? .train,
                Picture(
                    file: entry.candidate.file.path, label: places[entry.candidate.label]!,
                    name: entry.candidate.file.name, sha256: entry.found.sha256, group: entry.group,
                    width: entry.found.info.width, height: entry.found.info.height, format: entry.found.info.format)
            )
        }
        if !isDivided, options.testFraction > 0 {
            let held = Division.heldBack(
                labels: pictures.map(\.picture.label), groups: pictures.map(\.picture.group), seed: options.seed
            ) { max(1, Int((Double($0) * options.testFraction).rounded())) }
            for index in held { pictures[index].part = .test }
        }
        let order = pictures.indices.sorted { (pictures[$0].picture.label, $0) < (pictures[$1].picture.label, $1) }
        return Dictionary(grouping: order, by: { pictures[$0].part.rawValue })
            .mapValues { $0.map { pictures[$0].picture } }
    }

    /// How many times the smallest class the largest one is from which a person is told.
    private static let unequal = 4

    private static func notesOnCounts(_ set: PictureSet) -> [String] {
        let counts = set.counts(Part.train.rawValue)
        let labels = set.info.labels
        var notes: [String] = []
        if labels.count == 1 {
            notes.append("there is one class, '\(labels[0])': a model needs two or more")
        }
        let missing = labels.indices.filter { counts[$0] == 0 }
        if let first = missing.first {
            notes.append(
                "\(missing.count == 1 ? "a class has" : "\(missing.count) classes have") no picture to learn from, such as '"
                    + "\(labels[first])'")
        }
        if let most = labels.indices.max(by: { counts[$0] < counts[$1] }),
            let fewest = labels.indices.filter({ counts[$0] > 0 }).min(by: { counts[$0] < counts[$1] }),
            counts[most] >= unequal * counts[fewest]
        {
            notes.append(
                "the classes are unequal: '\(labels[most])' has \(counts[most]) pictures to learn from, '\(labels[fewest])' "
                    + "\(counts[fewest]). A model may favour the large ones: add pictures to the small ones")
        }
        return notes
    }
}
