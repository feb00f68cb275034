// Going back by itself: a model that ends its workers again and again, or that is suddenly sure of nothing, gives way to
// the one before it.
//
//     image ends a worker alone ─ set aside ─┬─ a second one within the hour ─▶ rollback ─▶ the old model gets both
//                                            └─ a minute without ─▶ failed/, the image was at fault
//
// One image that ends workers says little about the model: it may be the image. Two say enough, for going back costs
// nothing but the new model. A week after its swap a model has shown what it can do, and images are what is at fault. Who was
// left is not gone back to: not by the daemon after a person went back, and not at all after the daemon did.

import FoveaControl
import FoveaModels
import FoveaSystem

/// What the daemon looks at to judge the model that serves. Times are monotonic nanoseconds.
package struct ModelHealth {
    /// Of images that ended a worker alone.
    private var convictions: [Int] = []
    /// Of lost workers.
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

    package mutating func noteConviction(at now: Int) {
        convictions = convictions.suffix(Self.mostConvictions - 1) + [now]
    }

    package mutating func note(confidence: Float) { confidences.note(confidence) }

    /// The mean of the last images; nil before there are enough of them.
    package var meanConfidence: Double? { confidences.mean }

    /// Why the model should go, a clause; nil while there is nothing against it.
    package func complaint(at now: Int) -> String? {
        if (convictions.count { now - $0 < Self.hour }) >= Self.mostConvictions {
            return "\(Self.mostConvictions) images ended its workers within an hour"
        }
        if (losses.count { now - $0 < Self.tenMinutes }) >= Self.mostLosses {
            return "it lost \(Self.mostLosses) workers within ten minutes"
        }
        if let usualConfidence, let mean = confidences.mean, confidences.count <= ConfidenceMeter.probation,
            mean < usualConfidence / 2
        {
            return "its confidence collapsed: \(Units.decimals(mean, 2)) on the average of its last "
                + "\(ConfidenceMeter.window) images, where the model before had \(Units.decimals(usualConfidence, 2))"
        }
        return nil
    }
}

/// The mean confidence of the last images.
package struct ConfidenceMeter {
    package static let window = 200
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

extension Dispatcher {
    /// How long an image that ended a worker waits for another one to do the same.
    private static let waitingTime = 60_000_000_000

    /// How long after its swap a model may still be left.
    private static let probation = 7 * 86400.0

    /// The model to go back to; nil where there is none, or going back is not wanted.
    private var fallback: ActiveModel.Entry? {
        guard configuration.rollsBack, let active = try? ActiveModel.read(configuration.activeFile),
            let identity = serving?.identity, active.active.sha256 == identity.sha256, !active.isPreviousLeft,
            active.age < Self.probation, let previous = active.previous,
            (try? store.resolve("\(previous.name)@\(previous.version)")) != nil
        else { return nil }
        return previous
    }

    /// An image has ended a worker alone.
    ///
    /// - Returns: whether it is kept for the model before; otherwise it has failed.
    func setAside(_ item: Item, _ generation: Generation) -> Bool {
        let now = monotonicNanoseconds()
        // What a model leaves behind that has given way already is for its successor.
        guard generation === serving else {
            suspects.append(item)
            return true
        }
        // What a client sends and sees fail at once is not held against a model.
        guard case .spool = item.source else { return false }
        generation.health.noteConviction(at: now)
        guard fallback != nil else { return false }
        setAside.append((item, now + Self.waitingTime, generation))
        return true
    }

    /// Goes back if there is reason to and somewhere to go.
    func judgeServingModel() {
        let now = monotonicNanoseconds()
        while let first = setAside.first, first.until <= now, swap == nil {
            setAside.removeFirst()
            convict(first.item, first.generation)
        }
        guard let serving, swap == nil, mode != .stopping, now >= nextRollback,
            let complaint = serving.health.complaint(at: now)
        else { return }
        guard let fallback else {
            nextRollback = now + 10_000_000_000
            return
        }
        // Should the old one not start, not again at once.
        nextRollback = now + 600_000_000_000
        log.error("\(serving.identifier) is rolled back to \(fallback.name)@\(fallback.version): \(complaint)")
        history.note("rollback", "from \(serving.identifier) to \(fallback.name)@\(fallback.version): \(complaint)")
        beginSwap(to: "\(fallback.name)@\(fallback.version)", cause: complaint, reply: nil)
    }

    /// The images that were kept for the model that serves now, or, where it could not, have failed.
    func releaseSetAside(to generation: Generation?) {
        for (item, _, old) in setAside {
            if generation != nil { suspects.append(item) } else { convict(item, old) }
        }
        setAside = []
    }
}
