import FoveaControl
import FoveaModels
import FoveaSystem
import Glibc

/// What a model said about one image whose label is known.
package struct Outcome: Sendable {
    /// The model's index of the true label.
    package let label: Int
    /// The true label's probability.
    let probability: Float
    /// Indices and probabilities of the five best labels, best first; of equal ones the lower index first.
    package let top: [(label: Int, probability: Float)]
    /// How far the image is from all that the model knows, in units of the model's own threshold; nil where it cannot tell.
    let unknownness: Float?

    package var isRight: Bool { top[0].label == label }

    /// - Parameter scores: one row of probabilities.
    package init(label: Int, scores: UnsafeBufferPointer<Float>, unknownness: Float? = nil) {
        self.label = label
        self.unknownness = unknownness
        probability = scores[label]
        var best: [(label: Int, probability: Float)] = []
        for index in scores.indices where best.count < 5 || scores[index] > best[best.count - 1].probability {
            // Behind all that are at least as probable: equal ones keep the order of their indices.
            let place = best.firstIndex { $0.probability < scores[index] } ?? best.count
            best.insert((index, scores[index]), at: place)
            if best.count > 5 { best.removeLast() }
        }
        top = best
    }

    /// One line of JSON; floats in the shortest form that reads back to the same one.
    ///
    /// - Parameter thresholds: by which it would be filed.
    package func line(image: String, labels: [String], thresholds: Thresholds) -> String {
        func quoted(_ text: String) -> String { JSONValue.string(text).text }
        let best = top.map { "{\"label\":\(quoted(labels[$0.label])),\"confidence\":\($0.probability)}" }
        let unknown = unknownness.map { ",\"unknown\":\($0)" } ?? ""
        let status = verdict(labels: labels, thresholds: thresholds).status.rawValue
        return
            "{\"image\":\(quoted(image)),\"label\":\(quoted(labels[label])),\"top\":[\(best.joined(separator: ","))]"
            + "\(unknown),\"status\":\"\(status)\"}\n"
    }
}

/// Figures over many outcomes.
package struct Score: Encodable, Sendable {
    package let images: Int
    /// Share of images whose best label is the true one.
    package let top1: Double
    /// Share of images whose true label is among the five best.
    package let top5: Double
    /// Mean of −log of the true label's probability.
    package let loss: Double
    /// Share of images whose best label is in the true superclass.
    package let superclass: Double?
    /// Share of the wrong answers that stay inside the true superclass.
    package let errorsInSuperclass: Double?
    /// See `Reliability.expectedError`.
    package let calibrationError: Double
    /// By label.
    package let classes: [String: ClassScore]
    /// By superclass: the share of its images whose best label is in it.
    package let superclasses: [String: ClassScore]?

    package struct ClassScore: Encodable, Sendable {
        package let images: Int
        package let top1: Double
    }

    package init(
        _ outcomes: [Outcome], labels: [String], superclassOf: [Int]? = nil, superclasses names: [String]? = nil
    ) {
        var right = 0
        var among = 0
        var inSuperclass = 0
        var loss = 0.0
        var perClass = [(images: Int, right: Int)](repeating: (0, 0), count: labels.count)
        var perSuperclass = [(images: Int, right: Int)](repeating: (0, 0), count: names?.count ?? 0)
        for outcome in outcomes {
            let best = outcome.top[0].label
            loss -= log(Double(max(outcome.probability, .leastNormalMagnitude)))
            perClass[outcome.label].images += 1
            if best == outcome.label {
                right += 1
                perClass[outcome.label].right += 1
            }
            if outcome.top.contains(where: { $0.label == outcome.label }) { among += 1 }
            if let superclassOf {
                let group = superclassOf[outcome.label]
                let isInside = superclassOf[best] == group
                inSuperclass += isInside ? 1 : 0
                if names != nil {
                    perSuperclass[group].images += 1
                    perSuperclass[group].right += isInside ? 1 : 0
                }
            }
        }
        let count = Double(max(1, outcomes.count))
        images = outcomes.count
        top1 = Double(right) / count
        top5 = Double(among) / count
        self.loss = loss / count
        calibrationError = Reliability(outcomes).expectedError
        superclass = superclassOf == nil ? nil : Double(inSuperclass) / count
        errorsInSuperclass =
            superclassOf == nil || right == outcomes.count
            ? nil : Double(inSuperclass - right) / Double(outcomes.count - right)
        func scores(_ parts: [(images: Int, right: Int)], _ names: [String]) -> [String: ClassScore] {
            var result: [String: ClassScore] = [:]
            for (name, part) in zip(names, parts) where part.images > 0 {
                result[name] = ClassScore(images: part.images, top1: Double(part.right) / Double(part.images))
            }
            return result
        }
        classes = scores(perClass, labels)
        superclasses = superclassOf == nil ? nil : names.map { scores(perSuperclass, $0) }
    }

    /// The labels with their scores, best first; of equal ones in the order of the alphabet.
    package var ordered: [(label: String, score: ClassScore)] {
        classes.map { (label: $0.key, score: $0.value) }
            .sorted { (-$0.score.top1, $0.label) < (-$1.score.top1, $1.label) }
    }

    /// The figures without those by class, for a model's configuration.
    var summary: JSONValue {
        var members: [String: JSONValue] = [
            "images": .int(images), "top1": .number(top1), "top5": .number(top5), "loss": .number(loss),
            "calibrationError": .number(calibrationError),
        ]
        if let superclass { members["superclass"] = .number(superclass) }
        return .object(members)
    }
}
