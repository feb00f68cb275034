import FoveaSystem

extension Provenance {
    /// Of a model whose head was fitted to a user's own classes, on the features of another model.
    package struct OwnClasses: Codable, Sendable, Equatable {
        static let kind = "own-classes"

        private var kind = Self.kind
        /// The model whose features the head uses: all weights but the head's are its.
        package var backbone: Backbone
        package var data: Data
        /// How the head was fitted: `logistic` or `ridge`.
        package var method: String
        /// On the squared weights of standardised features.
        package var penalty: Double
        package var folds: Int
        /// Divides the pictures into folds.
        package var seed: Int
        package var seconds: Double
        /// The data sets of which the model has learnt images. `Provenance.sets()` reads them.
        package var sets: [TrainedSet]

        package struct Backbone: Codable, Sendable, Equatable {
            package let name: String
            package let version: String
            /// Of its manifest.
            package let sha256: String

            package init(name: String, version: String, sha256: String) {
                (self.name, self.version, self.sha256) = (name, version, sha256)
            }
        }

        package struct Data: Codable, Sendable, Equatable {
            package let name: String
            /// Pictures that were learnt.
            package let images: Int
            /// Pictures of each class, in the order of the model's labels.
            package let classes: [Int]

            package init(name: String, images: Int, classes: [Int]) {
                (self.name, self.images, self.classes) = (name, images, classes)
            }
        }

        package init(
            backbone: Backbone, data: Data, method: String, penalty: Double, folds: Int, seed: Int, seconds: Double,
            sets: [TrainedSet]
        ) {
            (self.backbone, self.data, self.method, self.penalty) = (backbone, data, method, penalty)
            (self.folds, self.seed, self.seconds, self.sets) = (folds, seed, seconds, sets)
        }

        /// nil where a member is missing.
        init?(_ json: JSONValue) {
            guard let known = try? json.decode(Self.self) else { return nil }
            self = known
        }
    }

    /// Of a head that has just been fitted.
    package init(_ own: OwnClasses) throws { self.init(json: try JSONValue(encoding: own)) }

    /// Of a model whose head was fitted to own classes.
    package var ownClasses: OwnClasses? { if case .ownClasses(let own) = kind { own } else { nil } }
}
