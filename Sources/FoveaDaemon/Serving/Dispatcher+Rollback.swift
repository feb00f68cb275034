// Going back by itself: a model that ends its workers again and again, or that is suddenly sure of nothing, gives way to
// the one before it.
//
//     image ends a worker alone ─ set aside ─┬─ a second one within the hour ─▶ rollback ─▶ the old model gets both
//                                            └─ a minute without ─▶ failed/, the image seems to be at fault;
//                                                                   back from there where a rollback comes later
//
// One image that ends workers says little about the model, however often it comes: it may be the image. Two say enough,
// for going back costs nothing but the new model. A week after its swap a model has shown what it can do, and images are
// what is at fault. Who was left is not gone back to: not by the daemon after a person went back, and not at all after
// the daemon did.

import FoveaControl
import FoveaModels
import FoveaSystem

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
        guard case .spool(let image) = item.source else { return false }
        let content = (try? Digest.sha256(fileAt: image.path)) ?? Array(item.id.description.utf8)
        generation.health.noteConviction(of: content, at: now)
        guard fallback != nil else { return false }
        setAside.append((item, now + Self.waitingTime, generation))
        return true
    }

    /// The model has shown what it can do: so it stays, whatever images a later run of the daemon sees.
    private func acceptServingModel() {
        guard let serving, serving.health.isAccepted, serving.health.usualConfidence != nil else { return }
        serving.health.usualConfidence = nil
        guard let active = try? ActiveModel.read(configuration.activeFile),
            active.active.sha256 == serving.identity?.sha256
        else { return }
        try? ActiveModel(
            active: active.active, previous: active.previous, isPreviousLeft: active.isPreviousLeft, since: active.since
        ).write(configuration.activeFile)
    }

    /// Goes back if there is reason to and somewhere to go.
    func judgeServingModel() {
        let now = monotonicNanoseconds()
        while let first = setAside.first, first.until <= now, swap == nil {
            setAside.removeFirst()
            convict(first.item, first.generation)
        }
        acceptServingModel()
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
