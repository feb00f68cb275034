import FoveaSystem
import SystemPackage

// The two layouts of labelled folders:
//
//   train/cat/1.png  validation/dog/2.jpg  test/cat/3.png      the division is given
//   cat/1.png  dog/2.jpg                                       a share of each class becomes the test part
//
// The parts' names are those of the usual exports (torchvision, keras, Roboflow, Kaggle), in any case.

/// The parts of a data set.
package enum Part: String, Sendable, CaseIterable {
    case train, validation, test

    private static let spellings: [String: Part] = [
        "train": .train, "training": .train, "val": .validation, "valid": .validation, "validation": .validation,
        "dev": .validation, "development": .validation, "test": .test, "testing": .test,
    ]

    /// What a name means, whatever its case; nil for another.
    package init?(name: String) {
        guard let part = Self.spellings[name.lowercased()] else { return nil }
        self = part
    }
}

/// How a folder of pictures is laid out.
package enum FolderLayout: Sendable, Equatable {
    /// By part, at least one; with what lies beside the parts.
    case divided([Part: FilePath], strays: [FilePath])
    /// A folder per class.
    case classes

    /// What is expected, for messages.
    package static let expected =
        "expected is FOLDER/LABEL/picture.jpg, or FOLDER/train/LABEL/picture.jpg with test and validation beside train"

    /// Looks into a folder. Folders named like parts are parts where nothing else lies beside them. Beside others they are
    /// classes, for there are trains among vehicles, unless they hold folders as parts do.
    ///
    /// - Throws: `.foreign` where parts and classes are mixed, a part is there twice, or there is no folder of a label.
    package init(of path: FilePath) throws(DataError) {
        let content = try ClassFolders.content(of: path)
        guard !content.folders.isEmpty else {
            throw DataError(
                .foreign,
                "\(path.escaped): there is no folder in it"
                    + (content.files.isEmpty ? "" : ", only files, so nothing says what they show")
                    + ": \(Self.expected)")
        }
        let named = content.folders.filter { Part(name: $0.lastComponent!.string) != nil }
        let others = content.folders.filter { Part(name: $0.lastComponent!.string) == nil }
        let names = named.map(\.escaped).joined(separator: ", ")
        if named.isEmpty {
            self = .classes
        } else if others.isEmpty {
            guard named.contains(where: { !Self.inner($0).folders.isEmpty }) else {
                throw DataError(
                    .foreign,
                    "\(path.escaped): \(names) are named like the parts of a data set, and there is no folder of a label in "
                        + "them: \(Self.expected)")
            }
            var parts: [Part: FilePath] = [:]
            for folder in named {
                guard let part = Part(name: folder.lastComponent!.string) else { continue }
                if let first = parts.updateValue(folder, forKey: part) {
                    throw DataError(
                        .foreign,
                        "\(first.escaped) and \(folder.escaped) are both the \(part.rawValue) part: put them together")
                }
            }
            self = .divided(parts, strays: content.files)
        } else {
            guard !named.contains(where: Self.holdsClasses) else {
                throw DataError(
                    .foreign,
                    "\(path.escaped): \(names) hold folders of their own as the parts of a data set do, and "
                        + "\(others[0].escaped) lies beside: \(Self.expected)")
            }
            self = .classes
        }
    }

    /// Pictures beside a single inner folder are a class's, of which some lie deeper; beside several, they are strays.
    private static func holdsClasses(_ folder: FilePath) -> Bool {
        let content = inner(folder)
        return content.folders.count > 1 || content.folders.count == 1 && !content.files.contains(where: isPicture)
    }

    /// What is in a folder, nothing where that cannot be told.
    private static func inner(_ folder: FilePath) -> (folders: [FilePath], files: [FilePath]) {
        (try? ClassFolders.content(of: folder)) ?? ([], [])
    }

    private static func isPicture(_ path: FilePath) -> Bool {
        ["png", "jpg", "jpeg"].contains((path.extension ?? "").lowercased())
    }
}
