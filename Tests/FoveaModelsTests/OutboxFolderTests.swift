import FoveaModels
import Testing

@Suite struct OutboxFolderTests {
    @Test func aLabelHasTheFolderOfItsName() {
        for label in ["bus", "maple tree", "日本", "unknown_", "unknown things", "Unknown", "failed.png", "a.label"] {
            #expect(OutboxFolder.of(label: label) == label && OutboxFolder.label(of: label) == label)
        }
    }

    @Test func noLabelHasAFolderOfTheOutbox() {
        #expect(OutboxFolder.own == ["failed", "unsure", "unknown", "STATUS.txt", "README.md"])
        for name in OutboxFolder.own {
            #expect(OutboxFolder.of(label: name) == "\(name).label")
            #expect(OutboxFolder.label(of: name) == nil)
        }
    }

    /// No two labels have one folder, and each folder leads back to its label.
    @Test func foldersAndLabelsBelongTogether() {
        let labels =
            OutboxFolder.own.flatMap { name in
                ["", ".label", ".label.label", "_", ".label_", ".labe", "x", ".label.", "label"].map { name + $0 }
            } + ["bus", ".label", "label"]
        let folders = labels.map(OutboxFolder.of)
        #expect(Set(folders).count == labels.count)
        #expect(folders.map(OutboxFolder.label) == labels)
        #expect(OutboxFolder.own.isDisjoint(with: folders))
    }
}
