// What the control API asks of the dispatcher, beyond what it does by itself.

import FoveaControl
import FoveaModels
import FoveaSystem
import SystemPackage

extension Dispatcher {
    /// The model that serves; nil before the first.
    func modelAnswer() -> ModelAnswer? {
        guard let serving, let identity = serving.identity else { return nil }
        return ModelAnswer(
            model: identity, generation: serving.number, chain: serving.chain.steps,
            labels: serving.hello?.labels.count ?? 0, since: lastSwap?.switchedAt ?? since)
    }

    // MARK: - Images

    func imageName(_ text: String) -> ImageName {
        ImageName(text, below: [configuration.inbox, inbox.root, configuration.outbox])
    }

    /// What can be said of an image that has not been taken yet: it is looked for in the inbox itself.
    func whyWaiting(_ name: ImageName) -> WhyAnswer? {
        for path in name.paths {
            guard let status = try? Files.statusIfPresent(inbox.root.pushing(path)) else { continue }
            let detail: String
            if !status.isRegular {
                detail = "stays in the inbox: only regular files are taken, no links, folders or devices"
            } else if path.components.contains(where: Junk.contains) {
                detail = "stays in the inbox: its name is that of a temporary or hidden file"
            } else if let reason = reasonForNotTaking {
                detail = "waits in the inbox; nothing is taken: \(reason)"
            } else {
                detail =
                    "waits in the inbox, among \(inbox.readyCount) that are ready and "
                    + "\(inbox.settlingCount) that may still be being written"
            }
            return WhyAnswer(
                id: "", file: path.escaped,
                events: [
                    .init(
                        time: Timestamp(milliseconds: status.modified / 1_000_000), what: "written",
                        detail: "\(status.size) bytes"), .init(time: .now(), what: "now", detail: detail),
                ])
        }
        return nil
    }

    // MARK: - Swaps

    /// The receipt of a swap that is not worth beginning, with the kind of refusal; nil where it is.
    ///
    /// - Parameter replacing: see `SwapRequest.replacing`.
    func refusalOfSwap(to reference: String, replacing: String? = nil) -> SwapReceipt? {
        do throws(ModelError) {
            let model = try store.resolve(reference)
            if let busy { return refusal(.busy, busy, model.identifier) }
            guard let replacing, let serving = serving?.identity, serving.sha256 != replacing else { return nil }
            return refusal(
                .overtaken, "\(serving.name)@\(serving.version) serves now, and another model was to be replaced",
                model.identifier)
        } catch {
            let kind: SwapReceipt.Refusal? =
                switch error.code {
                case .invalidName: .invalidName
                case .notFound: .notFound
                default: nil
                }
            return kind.map { refusal($0, "\(error)", nil) }
        }
    }

    /// As `refusalOfSwap`, for going back.
    func refusalOfRollback() -> SwapReceipt? {
        if let busy { return refusal(.busy, busy, nil) }
        // Of a file that cannot be read, the rollback itself speaks.
        guard let active = try? ActiveModel.read(configuration.activeFile) else { return nil }
        guard let previous = active.previous else {
            return refusal(.notFound, "there is no model to go back to: none was active before", nil)
        }
        return refusalOfSwap(to: "\(previous.name)@\(previous.version)")
    }

    private var busy: String? {
        if mode == .stopping { return "the daemon is stopping" }
        return swap.map { "another swap, to \($0.new.identifier), is under way; try again" }
    }

    private func refusal(_ kind: SwapReceipt.Refusal, _ reason: String, _ model: ModelIdentifier?) -> SwapReceipt {
        log.notice("a swap is refused: \(reason)")
        return SwapReceipt(
            outcome: .refused, reason: reason, refusal: kind, old: serving?.identity,
            new: model.map { ModelIdentity(name: $0.name, version: $0.version, sha256: "") })
    }
}
