import FoveaModels
import FoveaSystem
import Glibc

/// What a model said about one image whose label is known.
struct Outcome: Sendable {
    /// The model's index of the true label.
    let label: Int
    /// The true label's probability.
    let probability: Float
    /// Indices and probabilities of the five best labels, best first; of equal ones the lower index first.
    let top: [(label: Int, probability: Float)]

    /// - Parameter scores: one row of probabilities.
    init(label: Int, scores: UnsafeBufferPointer<Float>) {
        self.label = label
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

    /// One line of JSON; probabilities in the shortest form that reads back to the same float.
    func line(image: String, labels: [String]) -> String {
        func quoted(_ text: String) -> String { JSONValue.string(text).text }
        let best = top.map { "{\"label\":\(quoted(labels[$0.label])),\"confidence\":\($0.probability)}" }
        return
            "{\"image\":\(quoted(image)),\"label\":\(quoted(labels[label])),\"top\":[\(best.joined(separator: ","))]}\n"
    }
}

/// Figures over many outcomes.
struct Score: Encodable, Sendable {
    let images: Int
    /// Share of images whose best label is the true one.
    let top1: Double
    /// Share of images whose true label is among the five best.
    let top5: Double
    /// Mean of −log of the true label's probability.
    let loss: Double
    /// Share of images whose best label is in the true superclass.
    let superclass: Double?
    /// Share of the wrong answers that stay inside the true superclass.
    let errorsInSuperclass: Double?
    /// Expected calibration error (Guo et al. 2017) over 15 bins of equal width: how far confidence and accuracy lie apart,
    /// weighted by the images of a bin.
    let calibrationError: Double
    /// By label.
    let classes: [String: ClassScore]

    struct ClassScore: Encodable, Sendable {
        let images: Int
        let top1: Double
    }

    init(_ outcomes: [Outcome], labels: [String], superclassOf: [Int]?) {
        var right = 0
        var among = 0
        var inSuperclass = 0
        var loss = 0.0
        var bins = [(images: Int, right: Int, confidence: Double)](repeating: (0, 0, 0), count: 15)
        var perClass = [(images: Int, right: Int)](repeating: (0, 0), count: labels.count)
        for outcome in outcomes {
            let best = outcome.top[0].label
            let confidence = Double(outcome.top[0].probability)
            let bin = min(bins.count - 1, Int(confidence * Double(bins.count)))
            bins[bin].images += 1
            bins[bin].right += best == outcome.label ? 1 : 0
            bins[bin].confidence += confidence
            loss -= log(Double(max(outcome.probability, .leastNormalMagnitude)))
            perClass[outcome.label].images += 1
            if best == outcome.label {
                right += 1
                perClass[outcome.label].right += 1
            }
            if outcome.top.contains(where: { $0.label == outcome.label }) { among += 1 }
            if let superclassOf, superclassOf[best] == superclassOf[outcome.label] { inSuperclass += 1 }
        }
        let count = Double(max(1, outcomes.count))
        images = outcomes.count
        top1 = Double(right) / count
        top5 = Double(among) / count
        self.loss = loss / count
        calibrationError = bins.reduce(0) { $0 + abs(Double($1.right) - $1.confidence) } / count
        superclass = superclassOf == nil ? nil : Double(inSuperclass) / count
        errorsInSuperclass =
            superclassOf == nil || right == outcomes.count
            ? nil : Double(inSuperclass - right) / Double(outcomes.count - right)
        var classes: [String: ClassScore] = [:]
        for (index, score) in perClass.enumerated() where score.images > 0 {
            classes[labels[index]] = ClassScore(images: score.images, top1: Double(score.right) / Double(score.images))
        }
        self.classes = classes
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
