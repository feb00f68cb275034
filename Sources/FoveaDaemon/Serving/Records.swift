import FoveaControl
import FoveaPipeline
import FoveaSystem

/// From a worker's answer to the documents: pure functions.
package enum Records {
    /// The indices of the largest values, largest first; of equal ones the first.
    package static func best(_ values: [Float], count: Int) -> [Int] {
        var best: [Int] = []
        for index in values.indices {
            guard best.count < count || values[index] > values[best[best.count - 1]] else { continue }
            let place = best.firstIndex { values[index] > values[$0] } ?? best.count
            best.insert(index, at: place)
            if best.count > count { best.removeLast() }
        }
        return best
    }

    /// The result of a classified image.
    ///
    /// - Parameters:
    ///   - threshold: below this confidence the status is `unsure`.
    ///   - shares: milliseconds of each stage of the chain for this image, by name.
    static func result(
        _ item: Item, _ scores: ImageScores, _ generation: Generation, threshold: Double, shares: [(String, Double)]
    ) -> ResultRecord {
        let labels = generation.hello!.labels
        let best = best(scores.probabilities, count: 5)
        let now = Timestamp.now()
        var timings: [String: Double] = [
            "read": milliseconds(scores.readMicroseconds), "decode": milliseconds(scores.decodeMicroseconds),
            "total": rounded(Double(monotonicNanoseconds() - item.taken) / 1e6),
        ]
        for (name, share) in shares { timings[name] = rounded(share) }
        return ResultRecord(
            id: item.id.description, file: item.file.escaped, sha256: hexadecimal(scores.facts.sha256),
            bytes: scores.facts.bytes, width: scores.facts.width, height: scores.facts.height, label: labels[best[0]],
            confidence: scores.probabilities[best[0]],
            top: best.map { .init(label: labels[$0], confidence: scores.probabilities[$0]) },
            superclass: generation.superclass(of: best[0]),
            status: Double(scores.probabilities[best[0]]) < threshold ? .unsure : .classified,
            model: generation.identity!, chain: generation.chain, received: item.id.received, published: now,
            timings: timings)
    }

    /// The document of an image that could not be classified.
    static func error(_ item: Item, _ fault: WorkerFault, _ generation: Generation?) -> ErrorRecord {
        ErrorRecord(
            id: item.id.description, file: item.file.escaped, sha256: nil, bytes: item.bytes, reason: fault.code,
            message: fault.text, received: item.id.received, published: .now(), attempts: item.attempts + 1,
            model: generation?.identity)
    }

    private static func milliseconds(_ microseconds: Int) -> Double { rounded(Double(microseconds) / 1000) }

    /// To a microsecond.
    private static func rounded(_ milliseconds: Double) -> Double { (milliseconds * 1000).rounded() / 1000 }
}
