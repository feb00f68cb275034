import FoveaControl
import FoveaPipeline
import FoveaSystem

/// From a worker's answer to the documents: pure functions.
package enum Records {
    /// The result of a classified image, and where it belongs.
    ///
    /// - Parameter shares: milliseconds of each stage of the chain for this image, by name.
    static func result(
        _ item: Item, _ scores: ImageScores, _ generation: Generation, thresholds: Thresholds,
        shares: [(String, Double)]
    ) -> (record: ResultRecord, verdict: Verdict) {
        var timings: [String: Double] = [
            "read": milliseconds(scores.readMicroseconds), "decode": milliseconds(scores.decodeMicroseconds),
            "total": rounded(Double(monotonicNanoseconds() - item.taken) / 1e6),
        ]
        for (name, share) in shares { timings[name] = rounded(share) }
        return ResultRecord.classified(
            id: item.id.description,
            file: .init(
                name: item.file.escaped, sha256: hexadecimal(scores.facts.sha256), bytes: scores.facts.bytes,
                width: scores.facts.width, height: scores.facts.height),
            probabilities: scores.probabilities, unknownness: scores.unknownness, classes: generation.classes,
            thresholds: thresholds, model: generation.identity!, chain: generation.chain, received: item.id.received,
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
