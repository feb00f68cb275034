/// The control API's addresses: the daemon's router and its clients both take them from here.
package enum Routes {
    /// GET → `Status`.
    package static let status = "/v1/status"
    /// GET → a stream of `ResultRecord` and `ErrorRecord`, one JSON object a line.
    package static let watch = "/v1/watch"
    /// GET with `file=` (an inbox or outbox name, as on disk or escaped, or an id) → `WhyAnswer`.
    package static let why = "/v1/why"
    /// POST with `name=` (escaped, see `FilePath.escaped`), the image as body → `ResultRecord`; nothing is filed.
    package static let classify = "/v1/classify"
    /// GET → `ModelAnswer`.
    package static let activeModel = "/v1/models/active"
    /// POST `SwapRequest` → `SwapReceipt`; status 409 where it was refused.
    package static let swap = "/v1/models/swap"
    /// POST → `SwapReceipt`: back to the model before the active one.
    package static let rollback = "/v1/models/rollback"

    /// POST → `QueueAnswer`; `retry` takes `file=` as well, a name below `failed/` or an id.
    package static func queue(_ verb: QueueVerb) -> String { "/v1/queue/\(verb.rawValue)" }
}

/// What can be done to the queue.
package enum QueueVerb: String, Codable, Sendable, CaseIterable {
    /// Takes nothing from the inbox until `resume`; what was taken is finished.
    case pause
    case resume
    /// Finishes all that waits in the inbox now, then answers.
    case drain
    /// Puts what is in `outbox/failed` for a passing reason into the queue again.
    case retry
}
