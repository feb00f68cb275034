import FoveaControl
import FoveaHistory

/// What the daemon looks at to judge the model that serves. Times are monotonic nanoseconds.
package struct ModelHealth {
    /// Images that ended a worker alone, known by their content, and when they last did.
    private var convictions: [(image: [UInt8], at: Int)] = []
    /// Times of lost workers.
    private var losses: [Int] = []
    private var confidences = ConfidenceMeter()
    /// What the model before was used to, on the images before; nil where it had too few.
    package var usualConfidence: Double?

    package init() {}

    package static let mostConvictions = 2
    package static let mostLosses = 6
    private static let hour = 3_600_000_000_000
    private static let tenMinutes = 600_000_000_000

    package mutating func noteLoss(at now: Int) { losses = losses.suffix(Self.mostLosses - 1) + [now] }

    /// - Parameter image: the digest of the image: one that comes again says nothing new of the model.
    package mutating func noteConviction(of image: [UInt8], at now: Int) {
        convictions = convictions.filter { $0.image != image }.suffix(Self.mostConvictions - 1) + [(image, now)]
    }

    package mutating func note(confidence: Float) { confidences.note(confidence) }

    /// The mean of the last images; nil before there are enough of them.
    package var meanConfidence: Double? { confidences.mean }

    /// Enough images have come: what changes now are the images.
    package var isAccepted: Bool { confidences.count > ConfidenceMeter.probation }

    /// Why the model should go, a clause; nil while there is nothing against it.
    package func complaint(at now: Int) -> String? {
        if (convictions.count { now - $0.at < Self.hour }) >= Self.mostConvictions {
            return "\(Self.mostConvictions) images ended its workers within an hour"
        }
        if (losses.count { now - $0 < Self.tenMinutes }) >= Self.mostLosses {
            return "it lost \(Self.mostLosses) workers within ten minutes"
        }
        if let usualConfidence, let mean = confidences.mean, !isAccepted, mean < usualConfidence / 2 {
            return "its confidence collapsed: \(Units.decimals(mean, 2)) on the average of its last "
                + "\(ConfidenceMeter.window) images, where the model before had \(Units.decimals(usualConfidence, 2))"
        }
        return nil
    }
}

/// The mean confidence of the last images.
package struct ConfidenceMeter {
    package static let window = HistoryReader.usualImages
    /// So many images after a swap the model counts as accepted: later the images are what changes.
    package static let probation = 2000

    private var last: [Float] = []
    private var next = 0
    private var sum = 0.0
    package private(set) var count = 0

    package init() { last.reserveCapacity(Self.window) }

    package mutating func note(_ confidence: Float) {
        count += 1
        sum += Double(confidence)
        if last.count < Self.window {
            last.append(confidence)
        } else {
            sum -= Double(last[next])
            last[next] = confidence
            next = (next + 1) % Self.window
        }
    }

    /// nil before a whole window has come.
    package var mean: Double? { last.count < Self.window ? nil : sum / Double(Self.window) }
}
