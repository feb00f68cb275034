/// `POST /v1/models/swap`.
package struct SwapRequest: Codable, Sendable, Equatable {
    /// `NAME` (its newest version) or `NAME@VERSION`.
    package var model: String
    /// SHA-256 of the model that must be serving, or the swap is refused; nil replaces any.
    package var replacing: String?

    package init(model: String, replacing: String? = nil) { (self.model, self.replacing) = (model, replacing) }
}

/// What replacing the serving generation took, or why it was refused.
package struct SwapReceipt: Codable, Sendable, Equatable {
    package var outcome: Outcome
    /// Why it was refused, for a person.
    package var reason: String?
    /// Why the daemon went back by itself, for a person; nil where somebody asked for the swap.
    package var cause: String?
    /// What kind of refusal; nil where the model itself did not pass: its files, its golden set, its start.
    package var refusal: Refusal?
    package var old: ModelIdentity?
    /// nil where the model could not even be found or read.
    package var new: ModelIdentity?
    /// Of the slowest worker, in milliseconds; nil where it did not get so far.
    package var loadMs: Double?
    package var warmUpMs: Double?
    package var goldenMs: Double?
    /// Largest difference from the golden scores.
    package var goldenDifference: Double?
    package var switchedAt: Timestamp?
    /// nil where the old model classified nothing.
    package var lastOnOld: Image?
    /// nil as long as the new model has classified nothing.
    package var firstOnNew: Image?
    /// Images that were with the old generation at the switch and were finished by it.
    package var drainedImages: Int
    /// Resident memory of the daemon and all its workers, in bytes, before the start of the new generation and after
    /// the end of the old one.
    package var memoryBefore: Int
    package var memoryAfter: Int?

    package enum Outcome: String, Codable, Sendable { case switched, refused }

    /// Why a swap did not come to prove the model.
    package enum Refusal: String, Codable, Sendable {
        case invalidName = "invalid-name"
        case notFound = "not-found"
        /// Not the model serves that was to be replaced.
        case overtaken
        /// Another swap is under way, the daemon is stopping, the system lacks memory or space: try again.
        case busy
    }

    package struct Image: Codable, Sendable, Equatable {
        package var id: String
        package var file: String

        package init(id: String, file: String) {
            self.id = id
            self.file = file
        }
    }

    package init(
        outcome: Outcome, reason: String? = nil, refusal: Refusal? = nil, old: ModelIdentity? = nil,
        new: ModelIdentity? = nil,
        loadMs: Double? = nil, warmUpMs: Double? = nil, goldenMs: Double? = nil, goldenDifference: Double? = nil,
        switchedAt: Timestamp? = nil, lastOnOld: Image? = nil, firstOnNew: Image? = nil, drainedImages: Int = 0,
        memoryBefore: Int = 0, memoryAfter: Int? = nil
    ) {
        self.outcome = outcome
        self.reason = reason
        self.refusal = refusal
        self.old = old
        self.new = new
        self.loadMs = loadMs
        self.warmUpMs = warmUpMs
        self.goldenMs = goldenMs
        self.goldenDifference = goldenDifference
        self.switchedAt = switchedAt
        self.lastOnOld = lastOnOld
        self.firstOnNew = firstOnNew
        self.drainedImages = drainedImages
        self.memoryBefore = memoryBefore
        self.memoryAfter = memoryAfter
    }
}

/// `GET /v1/models/active`.
package struct ModelAnswer: Codable, Sendable, Equatable {
    package var model: ModelIdentity
    package var generation: Int
    package var chain: [ChainStep]
    package var labels: Int
    package var since: Timestamp

    package init(model: ModelIdentity, generation: Int, chain: [ChainStep], labels: Int, since: Timestamp) {
        self.model = model
        self.generation = generation
        self.chain = chain
        self.labels = labels
        self.since = since
    }
}

extension SwapRequest {
    /// The request as JSON.
    package var json: [UInt8] {
        var writer = JSONWriter(capacity: 64)
        writer.raw("{\"model\":")
        writer.string(model)
        if let replacing {
            writer.raw(",\"replacing\":")
            writer.string(replacing)
        }
        writer.raw("}")
        return writer.bytes
    }
}
