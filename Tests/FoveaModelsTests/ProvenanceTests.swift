import Foundation
import FoveaModels
import FoveaSystem
import Testing

/// Where a model comes from must be readable whichever version wrote it, and must not change by being read.
@Suite struct ProvenanceTests {
    private static func parse(_ text: String) throws -> JSONValue {
        try StrictJSON.parse(Array(text.utf8), depth: 16)
    }

    private static let entry = try? ModelIdentifier(name: "tiny", version: "2")

    @Test func theBundledModelIsReadAndWrittenUnchanged() throws {
        let path = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../models/cifar100/1/config.json")
        let bytes = Array(try Data(contentsOf: path))
        let model = try ModelConfiguration(bytes: bytes, subject: "config.json")
        #expect(model.encode() == bytes, "its SHA-256 would be another")
        let training = try #require(model.training?.trained)
        #expect(training.data == .init(name: "cifar100", images: 49000, development: 1000))
        #expect(training.epoch == 48 && training.epochs == 48 && training.ended == .finished)
        #expect(training.settings?["optimizer"]?.string == "muon")
        #expect(training.base == nil && training.retraining == nil && !model.isRetrained)
        #expect(try model.training?.sets() == nil && model.training?.dataSets() == ["cifar100"])
    }

    /// The very members that older versions wrote.
    @Test func aRetrainingIsWrittenAsBefore() throws {
        var training = Provenance.Training()
        training.data = .init(name: "shades", images: 300, development: 40)
        training.settings = .object(["epochs": .int(3)])
        (training.epoch, training.epochs, training.ended, training.seconds) = (2, 3, .patience, 7.25)
        training.sets = [
            TrainedSet(name: "shades", sha256: "ab", perClass: nil, isLearntWhole: false),
            TrainedSet(name: "more", sha256: "cd", perClass: 3, isLearntWhole: true),
        ]
        training.base = .init(try #require(Self.entry), sha256: "ef")
        training.recipe = .object(["epochs": .int(9)])
        training.retraining = .init(id: "k3", corrections: 12)
        let expected = try Self.parse(
            """
            {"data": {"name": "shades", "images": 300, "development": 40}, "settings": {"epochs": 3}, "epoch": 2,
             "epochs": 3, "ended": "patience", "seconds": 7.25, "retraining": "k3", "corrections": 12,
             "base": {"name": "tiny", "version": "2", "sha256": "ef"}, "recipe": {"epochs": 9},
             "sets": [{"name": "shades", "sha256": "ab", "isLearntWhole": false},
                      {"name": "more", "sha256": "cd", "perClass": 3, "isLearntWhole": true}]}
            """)
        let provenance = try Provenance(training)
        #expect(provenance.json == expected)
        #expect(provenance.trained == training && provenance.imported == nil)
        #expect(try provenance.sets() == training.sets && provenance.dataSets() == ["more", "shades"])
    }

    /// A member in a form that nobody knows is kept, and costs no other.
    @Test(arguments: [
        #""by hand""#, "[1,2.5]", "{}", #"{"kind":"distilled","teacher":{"name":"big"}}"#, #"{"kind":"imported"}"#,
        #"{"kind":"own-classes","folds":5}"#,
        #"{"data":7,"epochs":"many","epoch":3,"base":{"name":"../x","version":"1"},"new":{"x":[1.5,2,null]}}"#,
    ])
    func whatIsNotUnderstoodIsKept(_ text: String) throws {
        let json = try Self.parse(text)
        let provenance = try json.decode(Provenance.self)
        #expect(try JSONValue(encoding: provenance) == json)
        #expect(try provenance.sets() == nil && provenance.dataSets() == [])
        switch provenance.kind {
        case .trained(let training):
            #expect(training.data?.name == nil && training.epochs == nil && training.base == nil)
            #expect(training.epoch == (text.contains(#""epoch":3"#) ? 3 : nil))
        case .imported: Issue.record("an origin without a licence was believed")
        case .ownClasses: Issue.record("own classes without a backbone were believed")
        case .unknown(let kind): #expect(text.contains(kind))
        }
    }

    @Test func ownClassesSayWhatTheyWereMadeOf() throws {
        let own = Provenance.OwnClasses(
            backbone: .init(name: "big", version: "2", sha256: "ab"),
            data: .init(name: "parts", images: 30, classes: [10, 20]),
            method: "logistic", penalty: 100, folds: 5, seed: 0, seconds: 1.5,
            sets: [TrainedSet(name: "parts", sha256: "cd", perClass: nil, isLearntWhole: true)])
        let provenance = try Provenance(own)
        #expect(try JSONValue(encoding: provenance).decode(Provenance.self) == provenance)
        #expect(provenance.ownClasses == own && provenance.trained == nil)
        #expect(try provenance.dataSets() == ["parts"])
    }

    /// "Not understood" must not become "has learnt nothing".
    @Test func setsThatAreNotUnderstoodAreAnError() throws {
        let odd = Provenance(json: try Self.parse(#"{"sets":[{"name":"a"}]}"#))
        #expect(throws: ConfigurationError.self) { try odd.sets() }
        #expect(try odd.dataSets() == ["a"])
        let worse = Provenance(json: try Self.parse(#"{"sets":"all"}"#))
        #expect(throws: ConfigurationError.self) { try worse.dataSets() }
    }

    @Test func anImportedModelSaysWhoseItIs() throws {
        let origin = Provenance.Origin(
            origin: "somebody's package 1.0", licence: "Apache-2.0", sha256: "ab", trainedOn: "ImageNet-1k")
        let json = Provenance(origin).json
        #expect(
            try json
                == Self.parse(
                    """
                    {"kind": "imported", "origin": "somebody's package 1.0", "licence": "Apache-2.0", "sha256": "ab",
                     "trainedOn": "ImageNet-1k"}
                    """))
        let read = try json.decode(Provenance.self)
        #expect(read.imported == origin && read.trained == nil)
        #expect(try read.sets() == nil && read.dataSets() == [])
    }
}
