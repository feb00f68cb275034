import FoveaControl

/// `outbox/STATUS.txt`: the state of things for those who only see the share.
package enum StatusFile {
    /// The first line has the time and always 80 bytes.
    package static func text(_ status: Status, isStopped: Bool = false) -> [UInt8] {
        let head = "Fovea, \(Timestamp.now())"
        var lines = [head + String(repeating: " ", count: max(0, 79 - head.utf8.count))]
        let model = status.model.map { "\($0)" } ?? "none yet"
        lines.append("state       \(state(status, isStopped))")
        lines.append("model       \(model)")
        if let swap = status.lastSwap, let cause = swap.cause, swap.outcome == .switched, let old = swap.old {
            lines.append("            went back by itself from \(old): \(cause)")
        }
        let queue = status.queue
        lines.append(
            "waiting     \(queue.waiting + queue.settling) in the inbox, \(queue.spooled + queue.classifying) taken")
        lines.append("published   \(queue.published) since \(status.since), of these")
        lines.append("            \(queue.failed) failed, \(queue.unsure) unsure, \(queue.unknown) unknown")
        if queue.held > 0 { lines.append("held        \(queue.held) that the outbox does not take; see fovead's log") }
        if queue.failed > 0 { lines.append("            the reasons stand in failed/*.error.json") }
        for warning in status.warnings { lines.append("warning     \(warning)") }
        return Array((lines.joined(separator: "\n") + "\n").utf8)
    }

    private static func state(_ status: Status, _ isStopped: Bool) -> String {
        if isStopped { return "stopped; what is dropped now waits for the next start" }
        // A reason like "paused; …" says the mode itself.
        guard let reason = status.intake.reason else { return status.mode.rawValue }
        return reason.hasPrefix(status.mode.rawValue) ? reason : "\(status.mode.rawValue): \(reason)"
    }
}
